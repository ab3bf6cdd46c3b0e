"""Without kenlm and SentencePiece: our readers score as KenLM scored, and a bundle loads and scores all the same."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tamis.perplexity import arpa
from tamis.perplexity.training import Training, train

DATA = Path(__file__).parent / "data"
BLOCKED = """
import json, sys
sys.modules["kenlm"] = sys.modules["sentencepiece"] = None
from tamis.perplexity.bundle import load
from tamis.perplexity.options import PerplexityOptions
from tamis.pipeline.perplexity import find
found = load(sys.argv[1])
scores = found.scorer.score(json.loads(sys.stdin.read()))
assert find([__import__("pathlib").Path(sys.argv[1])])
print(json.dumps([scores.perplexity.tolist(), scores.bits_per_byte.tolist(), found.percentile(scores).tolist()]))
"""


def test_our_reader_scores_as_kenlm_scored():
    """200 sentences in five scripts, scored by KenLM 0.2 when the file was made; words it never saw among them."""
    model = arpa.read(DATA / "five-scripts.arpa")
    with (DATA / "five-scripts.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(rows) == 200
    for row in rows:
        assert model.score(row["sentence"]) == pytest.approx(float(row["log10"]), abs=1e-4)


def test_a_bundle_needs_neither_library(tmp_path):
    pytest.importorskip("sentencepiece")
    lines = [f"kato miren {n % 7} sol vé {n % 11} nu ша {'ka' * (n % 5)} กา" for n in range(900)]
    train(lines, tmp_path / "x.lm", "swh_Latn", training=Training(pieces=60))
    texts = [*lines[:3], "", "\x00", "語 unknown", "kato\nmiren"]
    code = [sys.executable, "-c", BLOCKED, str(tmp_path / "x.lm")]
    done = subprocess.run(code, input=json.dumps(texts), capture_output=True, text=True, check=True)
    from tamis.perplexity.bundle import load

    held = load(tmp_path / "x.lm")
    scores = held.scorer.score(texts)
    wanted = [scores.perplexity, scores.bits_per_byte, held.percentile(scores)]
    for mine, theirs in zip(wanted, json.loads(done.stdout), strict=True):
        assert mine.tolist() == pytest.approx(theirs, rel=1e-12, nan_ok=True)
