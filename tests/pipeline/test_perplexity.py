"""Perplexity in a run: buckets by language, `all` without a bundle, and tokens by bucket in the receipts."""

import json
import shutil
import sys

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis import recipe, run
from tamis.budget.buckets import buckets
from tamis.budget.ledger import Amount
from tamis.errors import ConfigError, MissingExtraError, UnknownNameError
from tamis.filters import Chain, keep
from tamis.perplexity import bundle
from tamis.perplexity.options import PerplexityOptions
from tamis.perplexity.training import Training, train
from tamis.pipeline import perplexity
from tamis.pipeline.outputs import read_ledger
from tamis.pipeline.storage import Storage

pytest.importorskip("sentencepiece")

ENGLISH = [
    f"The {one} {two} that the {three} saw {verb} the {place} every day."
    for one in ("old", "young", "red", "small", "quiet")
    for two in ("man", "dog", "bird", "teacher")
    for three in ("child", "woman", "king")
    for verb in ("left", "crossed", "loved", "passed")
    for place in ("garden", "river", "house", "village")
]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    train(ENGLISH, folder / "eng.lm", "eng_Latn", training=Training(pieces=120))
    return folder


def batch(texts, languages):
    columns = {"text": pa.array(texts, pa.large_string()), "language": pa.array(languages, pa.large_string())}
    return pa.RecordBatch.from_pydict(columns | {"tokens": pa.array([10] * len(texts), pa.int64())})


def test_buckets_by_language(bundles):
    settings = PerplexityOptions(perplexity.find([bundles]), min_tokens=4)
    texts = [ENGLISH[3], "zq zq xj 9 qqq vv", "Bonjour tout le monde.", "a"]
    found = perplexity.score(batch(texts, ["eng_Latn", "eng_Latn", "fra_Latn", "eng_Latn"]), settings)
    assert found.column("bucket").to_pylist()[1:] == ["tail", "all", None]
    assert found.column("bucket")[0].as_py() in ("head", "middle", "tail")
    assert found.column("perplexity")[2].as_py() is None and found.column("perplexity_percentile")[1].as_py() == 100
    assert perplexity.bucket_tokens(found)["unscored"] == 10


def test_a_run_has_buckets_and_their_tokens(bundles, tmp_path):
    texts = [*ENGLISH[:30], "Le chat dort sur la chaise près de la fenêtre et rêve de poissons, dit la vieille dame."]
    lines = [json.dumps({"id": str(n), "text": " ".join([text] * 4)}) for n, text in enumerate(texts)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), "utf-8")
    tables = {"perplexity": {"bundles": str(bundles)}}
    run(tmp_path / "in.jsonl", tmp_path / "out", recipe=recipe.Recipe("x", tables), executor="inline")
    rows = [
        row
        for path in sorted((tmp_path / "out/documents").glob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    assert {row["bucket"] for row in rows if row["language"] != "eng_Latn"} == {"all"}
    english = [row for row in rows if row["language"] == "eng_Latn"]
    assert english and all(row["bucket"] in ("head", "middle", "tail") for row in english)
    receipts = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").read_text("utf-8").splitlines()]
    facts = [each["facts"] for each in receipts if each.get("step") == "documents"]
    assert sum(perplexity.by_language(facts)["eng_Latn"].values()) == sum(row["tokens"] for row in english)
    ledger = read_ledger(Storage(str(tmp_path / "out")))
    for name, amount in buckets(ledger)["eng_Latn"].items():
        assert amount.tokens == sum(row["tokens"] for row in english if row["bucket"] == name)
    others = {code: found for code, found in buckets(ledger).items() if code != "eng_Latn"}
    assert others and all(found["all"] == sum(found.values(), Amount()) for found in others.values())
    assert ledger.total("buckets", "in") == ledger.total("buckets", "kept") == ledger.total("tokenize", "kept")
    report = json.loads((tmp_path / "out/report/budget.json").read_text("utf-8"))["languages"]
    shown = next(row for row in report if row["language"] == "eng_Latn")
    parts = [shown[f"{name}_tokens"] for name in ("head", "middle", "tail", "all", "unscored")]
    assert sum(parts) == shown["kept_tokens"] and parts[3] == 0
    assert ">Head</th>" in (tmp_path / "out/report/index.html").read_text("utf-8")


def test_scores_are_signals_for_rules_of_ones_own(bundles, tmp_path):
    held = bundle.load(bundles / "eng.lm")
    likely = ENGLISH[int(np.argmin(held.percentile(held.scorer.score(ENGLISH))))]
    texts = [likely, "zq zq xj 9 qqq vv ww xx zz", "Bonjour tout le monde, dit la vieille dame.", "a"]
    codes = ["eng_Latn", "eng_Latn", "fra_Latn", "eng_Latn"]
    given = {"perplexity": {"bundles": str(bundles)}, "read": {}}
    rule = {"keep": "perplexity_bucket", "at_most": 1}
    settings = recipe.Recipe("x", given | {"filters": [rule]}).settings()
    sifted = settings.filters[0](batch(texts, codes))
    # Without a bundle, and too short: no place, and so no reason to go.
    assert sifted.kept.column("text").to_pylist() == [texts[0], *texts[2:]]
    assert sifted.dropped.column("reason").to_pylist() == ["perplexity_bucket"]
    assert sifted.kept.column("perplexity_bucket").to_pylist()[1:] == [-1, -1]
    bounds = {"keep": "perplexity_percentile", "at_most": {"eng_Latn": 99.5}}
    chain = recipe.Recipe("x", given | {"filters": [bounds]}).settings().filters[0]
    assert chain(batch(texts[:3], codes[:3])).kept.column("text").to_pylist() == [texts[0], texts[2]]
    assert cloudpickle.loads(cloudpickle.dumps(chain)).fingerprint == chain.fingerprint
    named = perplexity.signals(PerplexityOptions(perplexity.find([bundles]), min_tokens=4))
    mine = Chain(keep(named["bits_per_byte"], at_most=4), keep(named["perplexity"], at_most=500), name="mine")
    kept = mine(batch(texts, codes)).kept
    assert kept.column("text").to_pylist() == [texts[0]] and kept.column("perplexity")[0].as_py() > 1
    with pytest.raises(UnknownNameError, match="perplexity"):
        recipe.Recipe("x", {"filters": [rule]}).settings()


def test_ccnet_files_score_in_a_run(bundles, tmp_path):
    train(ENGLISH, tmp_path / "made", "eng_Latn", training=Training(pieces=120), with_arpa=True)
    (tmp_path / "ccnet").mkdir()
    shutil.copy(tmp_path / "made/ngrams.arpa.gz", tmp_path / "ccnet/en.arpa.gz")
    shutil.copy(tmp_path / "made/pieces.model", tmp_path / "ccnet/en.sp.model")
    found = perplexity.find([tmp_path / "ccnet"])
    assert found == {"eng_Latn": str(tmp_path / "ccnet/en")}
    before = PerplexityOptions(found, min_tokens=4)
    bare = perplexity.score(batch(ENGLISH[:2], ["eng_Latn"] * 2), before)
    assert bare.column("bucket").to_pylist() == ["all", "all"] and bare.column("perplexity")[0].as_py() > 1
    bundle.load_ccnet.cache_clear()
    bundle.ccnet_checksum.cache_clear()
    checksum = before.options()["bundles"]
    (tmp_path / "ccnet/cutoff.csv").write_text(",en\n30,1.5\n60,1e9\n", "utf-8")
    assert perplexity.score(batch(ENGLISH[:2], ["eng_Latn"] * 2), before).column("bucket").to_pylist() == ["middle"] * 2
    bundle.ccnet_checksum.cache_clear()
    assert before.options()["bundles"] != checksum


def test_ccnet_binaries_without_kenlm_are_an_error_before_any_input(bundles, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kenlm", None)
    (tmp_path / "xx.arpa.bin").write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\0")
    shutil.copy(bundles / "eng.lm/pieces.model", tmp_path / "xx.sp.model")
    for name in ("xx.arpa.bin", "xx.sp.model"):
        (tmp_path / name).rename(tmp_path / name.replace("xx", "sw"))
    with pytest.raises(MissingExtraError, match="kenlm"):
        recipe.Recipe("x", {"perplexity": {"bundles": str(tmp_path)}}).settings()


def test_wrong_settings_are_errors_before_any_input(bundles, tmp_path):
    with pytest.raises(ConfigError, match="no perplexity bundle"):
        perplexity.find([tmp_path])
    with pytest.raises(UnknownNameError, match="bits"):
        PerplexityOptions({}, variant="bits")
    with pytest.raises(ConfigError, match="percents"):
        PerplexityOptions({}, head_below=70)
    with pytest.raises(ConfigError, match="names no bundles"):
        recipe.Recipe("x", {"perplexity": {}}).settings()
