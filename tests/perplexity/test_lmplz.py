"""KenLM's lmplz where one is on PATH: called as it must be, its model taken over number by number."""

import json
import os
import stat
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from tamis.cli import app
from tamis.errors import MissingExtraError, ModelError, UnknownNameError
from tamis.perplexity import bundle, lmplz
from tamis.perplexity.estimate import estimate
from tamis.perplexity.training import Training, train

pytest.importorskip("sentencepiece")

LINES = [f"kato miren {n % 7} sol vé {n % 11} nu {'ka' * (n % 5)} ren{n % 3}" for n in range(600)]
# Does what lmplz does, with our estimator; words are whatever stands between spaces.
FAKE = """#!{python}
import json, sys
import numpy as np
from pathlib import Path
from tamis.perplexity import arpa
from tamis.perplexity.estimate import estimate
flags = sys.argv[1:]
get = lambda name: flags[flags.index(name) + 1]
Path({record!r}).write_text(json.dumps(flags))
lines = [line.split() for line in Path(get("--text")).read_text().splitlines()]
if any(word.startswith("<") for line in lines for word in line):
    sys.exit("Special word is not allowed in the corpus.")
words = ["<unk>", "<s>", "</s>", *sorted({{word for line in lines for word in line}})]
ids = np.array([n for line in lines for n in (1, *(words.index(w) for w in line), 2)], np.int32)
prune = flags[flags.index("--prune") + 1:] if "--prune" in flags else []
made = estimate(ids, int(get("--vocab_pad")), int(get("-o")), prune=[int(n) for n in prune])
tables = list(made.tables)
tables[0] = tables[0][0][: len(words)], tables[0][1][: len(words)]
arpa.write(Path(get("--arpa")), words, tables)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    folder, record = tmp_path / "bin", tmp_path / "called.json"
    folder.mkdir()
    (folder / "lmplz").write_text(FAKE.format(python=sys.executable, record=str(record)))
    (folder / "lmplz").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return record


def test_its_model_is_taken_over(program):
    rng = np.random.default_rng(6)
    ids = np.concatenate([[1, *rng.integers(3, 30, 9), 0, 0, 2] for _ in range(200)]).astype(np.int32)
    ours = estimate(ids, 40, 3, prune=(0, 0, 1))
    theirs = lmplz.estimate(lmplz.program(), ids, 40, 3, prune=(0, 0, 1), memory=1 << 30)
    # The unknown stands in the text under another name, and is put together with lmplz's own: one share more.
    assert theirs.tables[0][1][0, 0] == pytest.approx(ours.tables[0][1][0, 0], abs=0.05)
    for (grams, pairs), (other, others) in zip(ours.tables, theirs.tables, strict=True):
        mine, found = dict(zip(map(tuple, grams.tolist()), pairs, strict=True)), {}
        found = dict(zip(map(tuple, other.tolist()), others, strict=True))
        assert mine.keys() == found.keys()
        assert all(np.allclose(mine[gram], found[gram], atol=1e-4) for gram in mine if gram != (0,))


def test_training_uses_it_and_says_so(program, tmp_path):
    (tmp_path / "swh.txt").write_text("\n".join(LINES), "utf-8")
    out = tmp_path / "swh.lm"
    arguments = ["train", "lm", "--lang", "swh", "--text", str(tmp_path / "swh.txt"), "--out", str(out)]
    options = ["--order", "3", "--prune", "0 0 1", "--pieces", "70", "--memory", "1GB", "--licence", "CC0-1.0"]
    options += ["--normaliser", "light", "--hold-out", "0.2", "--arpa"]
    done = CliRunner().invoke(app, arguments + options)
    assert done.exit_code == 0, done.output
    flags = json.loads(program.read_text())
    assert flags[flags.index("-o") + 1] == "3" and flags[flags.index("--prune") + 1 :][:3] == ["0", "0", "1"]
    assert flags[flags.index("-S") + 1] == "953M" and "--discount_fallback" in flags
    manifest = bundle.verify(out)
    assert manifest["estimator"] == "lmplz" and manifest["licence"] == "CC0-1.0" and manifest["language"] == "swh_Latn"
    assert manifest["normaliser"]["lower"] is False and (out / "ngrams.arpa.gz").is_file()
    train(LINES, tmp_path / "own.lm", "swh_Latn", training=Training(order=3, pieces=70), estimator="tamis")
    train(LINES, tmp_path / "theirs.lm", "swh_Latn", training=Training(order=3, pieces=70))
    mine, theirs = (bundle.load(tmp_path / name).scorer.score(LINES[:50]) for name in ("own.lm", "theirs.lm"))
    assert mine.perplexity == pytest.approx(theirs.perplexity, rel=1e-3)
    program.unlink()
    again = CliRunner().invoke(app, [*arguments[:-1], str(tmp_path / "again.lm"), "--estimator", "tamis"])
    assert again.exit_code == 0 and not program.exists()


def test_what_is_wrong_is_said(program, tmp_path, monkeypatch):
    with pytest.raises(UnknownNameError, match="estimator"):
        train(LINES, tmp_path / "x", "swh_Latn", estimator="kneser")
    (tmp_path / "bin/lmplz").write_text("#!/bin/sh\necho out of cheese >&2\nexit 3\n")
    with pytest.raises(ModelError, match="out of cheese"):
        train(LINES, tmp_path / "x", "swh_Latn", training=Training(pieces=70))
    assert not (tmp_path / "x").exists()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingExtraError, match="no lmplz"):
        train(LINES, tmp_path / "y", "swh_Latn", estimator="lmplz")
