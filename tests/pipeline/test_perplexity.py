"""Perplexity in a run: buckets by language, `all` without a bundle, and tokens by bucket in the receipts."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tamis import recipe
from tamis.errors import ConfigError, UnknownNameError
from tamis.perplexity.training import Training, train
from tamis.pipeline import perplexity
from tamis.pipeline.perplexity import PerplexitySettings

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
    settings = PerplexitySettings(perplexity.find([bundles]), min_tokens=4)
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
    recipe.run(tmp_path / "in.jsonl", tmp_path / "out", recipe=recipe.Recipe("x", tables), executor="inline")
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


def test_wrong_settings_are_errors_before_any_input(bundles, tmp_path):
    with pytest.raises(ConfigError, match="no perplexity bundle"):
        perplexity.find([tmp_path])
    with pytest.raises(UnknownNameError, match="bits"):
        PerplexitySettings({}, variant="bits")
    with pytest.raises(ConfigError, match="percents"):
        PerplexitySettings({}, head_below=70)
    with pytest.raises(ConfigError, match="names no bundles"):
        recipe.Recipe("x", {"perplexity": {}}).settings()
