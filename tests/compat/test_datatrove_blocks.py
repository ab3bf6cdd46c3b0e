"""datatrove's blocks in a Chain, and a Chain among its blocks, give the verdicts each gives alone."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tamis.compat.datatrove import from_datatrove, to_datatrove
from tamis.errors import ConfigError
from tamis.filters import Chain, c4_quality, keep, per_document

pytest.importorskip("datatrove")

from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, LambdaFilter, RegexFilter

SENTENCES = "This is the first sentence of it. Here is another one! And a third? The fourth is here. The fifth ends it."
TEXTS = [SENTENCES, "Too short.", f"{SENTENCES}\nno end mark here", "lorem ipsum dolor sit amet is a line.", ""]


def batch(texts: list[str]) -> pa.RecordBatch:
    return pa.record_batch({"row": pa.array(range(len(texts))), "text": pa.array(texts, pa.large_string())})


def test_a_block_in_a_chain_judges_and_edits_as_it_does_alone() -> None:
    def simple(text, language):
        return [part for part in text.replace("!", ".").replace("?", ".").split(".") if part.strip()]

    import datatrove.pipeline.filters.c4_filters as module

    original, module.split_into_sentences = module.split_into_sentences, simple
    try:
        alone = [Document(text=text, id="x") for text in TEXTS]
        verdicts = [C4QualityFilter().filter(document) is True for document in alone]
        sifted = from_datatrove(C4QualityFilter())(batch(TEXTS))
    finally:
        module.split_into_sentences = original
    assert sifted.kept["row"].to_pylist() == [row for row, kept in enumerate(verdicts) if kept]
    assert sifted.kept["text"].to_pylist() == [each.text for each, kept in zip(alone, verdicts, strict=True) if kept]
    assert set(sifted.dropped["reason"].to_pylist()) == {"c4_quality_filter"}


def test_blocks_mix_with_rules() -> None:
    @per_document
    def letters(text):
        return len(text)

    some = LambdaFilter(lambda document: document.text != "")
    chain = Chain(from_datatrove(RegexFilter("lorem")), from_datatrove(some, name="some"), keep(letters, at_least=20))
    sifted = chain(batch(TEXTS))
    assert sifted.kept["row"].to_pylist() == [0, 2]
    assert sifted.dropped["reason"].to_pylist() == ["letters", "regex_filter", "some"]


def test_a_block_that_raises_drops_that_document_alone() -> None:
    def fussy(document):
        if document.text.startswith("Too"):
            raise RuntimeError("no")
        return True

    sifted = from_datatrove(LambdaFilter(fussy), name="fussy")(batch(TEXTS))
    assert sifted.dropped["row"].to_pylist() == [1]
    assert sifted.dropped["reason"].to_pylist()[0].startswith("error:fussy")


def test_a_chain_is_a_block() -> None:
    chain = c4_quality()
    expected = chain(batch(TEXTS))
    for size in (1, 2, 64):
        documents = [Document(text=text, id=str(row)) for row, text in enumerate(TEXTS)]
        kept = list(to_datatrove(chain, batch_size=size).run(iter(documents)))
        assert [int(document.id) for document in kept] == expected.kept["row"].to_pylist()
        assert [document.text for document in kept] == expected.kept["text"].to_pylist()


def test_a_chain_in_datatrove_reads_metadata() -> None:
    chain = Chain(keep("language_score", at_least=0.5), name="sure")
    documents = [Document(text="a", id="0", metadata={"language_score": score}) for score in (0.4, 0.6)]
    assert to_datatrove(chain).filter_batch(documents) == [(False, "language_score"), True]


def test_what_is_no_block_is_refused() -> None:
    with pytest.raises(ConfigError):
        from_datatrove(object())
