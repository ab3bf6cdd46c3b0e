"""One page through everything of the native extractor that a page can steer; a fuzzing target for atheris.

    NUMBA_DISABLE_JIT=1 python tests/extract/fuzz/target.py tests/extract/fuzz/corpus -max_total_time=600 -max_len=4096

Interpreted, so that every index is looked up by NumPy and atheris sees which lines of the kernels a page reaches. The
trees are left out: no page chooses what they read.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np


def check(raw: bytes) -> None:
    """Raise where a page of these bytes breaks a promise."""
    from tamis.extract.native import layout
    from tamis.extract.native.blocks import scan_page
    from tamis.extract.native.describe import describe_page, feature_matrix
    from tamis.extract.native.head import article_body, read_statements
    from tamis.extract.native.kept import join_chosen
    from tamis.extract.native.model import load_model
    from tamis.extract.native.words import PADDING
    from tamis.extract.normal import normal_form

    page = scan_page(raw)
    assert len(page.text) <= len(raw) * 6 // 5 + PADDING
    assert (page.elements[1:, layout.PARENT] < np.arange(1, len(page.elements))).all()
    assert (page.blocks[:, layout.START] <= page.blocks[:, layout.END]).all()
    assert (page.blocks[1:, layout.START] >= page.blocks[:-1, layout.END]).all()
    assert (page.blocks[:, layout.LINK_BYTES] >= 0).all()
    described = describe_page(page)
    assert np.isfinite(feature_matrix(described, load_model().tokens)).all()
    for markdown in (False, True):
        text = join_chosen(page, (np.arange(len(page.blocks)) % 3 != 1).astype(np.uint8), markdown)
        assert normal_form(text) == text
        text.encode()
    read_statements(page)
    article_body(page)


def main() -> None:
    import atheris

    warnings.simplefilter("ignore")
    np.seterr(all="ignore")  # hashes wrap around
    with atheris.instrument_imports(include=["tamis.extract"]):
        check(b"<p>x")
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
