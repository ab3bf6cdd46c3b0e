"""Tokenizing: MB/s of text per core, ours beside its peers, in one run on one text; `sides/tokenizing.py` does it.

    python benchmarks/tokenize.py [TOKENIZER] [--data ../shared/data] [--megabytes 12]

Every script in this folder has the folder first on its path, where this file's name hides the standard library's
`tokenize`. Imported under that name it hands over to the module that was meant.
"""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from pathlib import Path


def hand_over() -> None:
    """Put the standard library's module in this one's place, as imports in progress allow."""
    spec = importlib.util.spec_from_file_location("tokenize", Path(sysconfig.get_path("stdlib"), "tokenize.py"))
    if spec is None or spec.loader is None:
        raise ImportError("the standard library has no tokenize.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["tokenize"] = module
    spec.loader.exec_module(module)


if __name__ == "tokenize":
    hand_over()
elif __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path = [str(here / "sides"), *(entry for entry in sys.path if Path(entry or ".").resolve() != here)]
    from tokenizing import main

    main()
