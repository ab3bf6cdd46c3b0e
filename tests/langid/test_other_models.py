"""Other people's models by path: GlotLID, OpenLID, NLLB and lid.176 labels come out as the same codes."""

import json
from pathlib import Path

import fasttext
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tamis import cli
from tamis.errors import ConfigError, UnknownNameError
from tamis.langid import Identifier, resolve
from tamis.langid import model as models
from tamis.langid.codes import label_languages

PAGES = Path(__file__).resolve().parents[2] / "examples" / "miniweb" / "pages"
SAID = {
    "eng_Latn": "The ferry leaves at noon and comes back before dark, unless the wind turns against it.",
    "fra_Latn": "Le bac part à midi et revient avant la nuit, sauf si le vent tourne contre lui.",
    "rus_Cyrl": "Паром отходит в полдень и возвращается до темноты, если ветер не переменится.",
    "arb_Arab": "تغادر العبارة عند الظهر وتعود قبل حلول الظلام ما لم تتغير الريح.",
    "cmn_Hans": "渡船中午出发，如果风向不变，天黑之前就会回来。",
    "cmn_Hant": "渡船中午出發，如果風向不變，天黑之前就會回來。",
    "jpn_Jpan": "渡し船は正午に出て、風向きが変わらなければ日没前に戻ってくる。",
}
# How each family of models calls those seven.
SCHEMES = {
    "lid.176": ("en", "fr", "ru", "ar", "zh", "zh", "ja"),
    "glotlid": ("eng_Latn", "fra_Latn", "rus_Cyrl", "arb_Arab", "cmn_Hani", "cmn_Hani", "jpn_Jpan"),
    "openlid": ("eng_Latn", "fra_Latn", "rus_Cyrl", "arb_Arab", "zho_Hans", "zho_Hant", "jpn_Jpan"),
    "openlid-v2": ("eng_Latn", "fra_Latn", "rus_Cyrl", "ara_Arab", "cmn_Hans", "cmn_Hant", "jpn_Jpan"),
}


@pytest.fixture(scope="module", params=SCHEMES)
def scheme(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A small unquantized `.bin` that says what it was taught, in the labels of one family."""
    folder = tmp_path_factory.mktemp("models")
    sheet, out = folder / "sheet.txt", folder / f"{request.param}.bin"
    rows = []
    for label, text in zip(SCHEMES[request.param], SAID.values(), strict=True):
        words = list(text.replace(",", "")) if " " not in text else text.split()
        rows += [f"__label__{label} {' '.join(words[i:])}" for i in range(4)] * 25
        rows += [f"__label__{label} {text}"] * 25
    # A label in no known code set, as GlotLID has for text that is no language.
    rows += ["__label__zxx_Zzzz 0 0 0 |"] * 50
    sheet.write_text("\n".join(sorted(rows, key=hash_free)), "utf-8")
    with models._zeroed_memory():
        fasttext.train_supervised(
            str(sheet), dim=16, minn=1, maxn=3, bucket=2000, epoch=25, lr=0.5, thread=1, verbose=0
        ).save_model(str(out))
    return request.param, out


def hash_free(row: str) -> int:
    """An order that mixes the labels and is the same everywhere."""
    return sum(ord(character) * (place + 7) for place, character in enumerate(row)) % 9973


def test_every_family_answers_in_the_same_codes(scheme: tuple[str, Path]) -> None:
    identifier = Identifier(str(scheme[1]))
    said = identifier.identify(pa.array(list(SAID.values()), pa.large_string())).field("language").to_pylist()
    assert said == list(SAID)
    assert set(SAID) <= identifier.languages
    assert not any("Zzzz" in code for code in identifier.languages)


def test_asking_a_model_for_what_it_cannot_say_is_an_error(scheme: tuple[str, Path]) -> None:
    identifier = Identifier(str(scheme[1]))
    assert identifier.require(["fr", "French", "Chinese", "zh-TW"]) == ["fra_Latn", "fra_Latn", "cmn_Hans", "cmn_Hant"]
    with pytest.raises(UnknownNameError, match="cannot answer deu_Latn"):
        identifier.require(["German"])


def test_every_label_of_lid176_and_of_fineweb2_resolves(shared: Path) -> None:
    assert all(models.load(shared / "models" / "lid.176.ftz").codes.values())
    import tarfile

    with tarfile.open(shared / "text" / "fineweb2-configs-1929.tar.gz") as archive:
        labels = {Path(name).stem for name in archive.getnames() if Path(name).stem.count("_") == 1}
    found = {label: label_languages(f"__label__{label}") for label in labels if len(label) == 8}
    assert len(found) >= 1900
    assert [label for label, meant in found.items() if label not in meant and not label.endswith("_Hani")] == []
    assert all(resolve(label) in meant for label, meant in found.items())


def test_training_from_the_command_line(tmp_path: Path) -> None:
    rows = []
    for code in ("eng_Latn", "fra_Latn", "rus_Cyrl", "tha_Thai"):
        for path in sorted((PAGES / code).glob("*.json")):
            text = json.loads(path.read_text("utf-8")).get("main_text") or ""
            rows += [f"{code.partition('_')[0]}\t{line}" for line in text.split("\n") if len(line) > 30]
    (tmp_path / "lines.tsv").write_text("\n".join(rows), "utf-8")
    (tmp_path / "small.toml").write_text(
        "[training]\nfloor = 50\nnonsense = 50\n"
        "[training.fit]\ndim = 16\nmaxn = 3\nbuckets = 5000\nepochs = 12\nmin_count = 2\n",
        "utf-8",
    )
    out = tmp_path / "mine.ftz"
    arguments = ["train", "langid", str(tmp_path / "lines.tsv"), "--out", str(out), "--minimum", "20"]
    shown = CliRunner().invoke(cli.app, [*arguments, "--recipe", str(tmp_path / "small.toml")])
    assert shown.exit_code == 0, shown.output
    assert "macro-F1 on held-out lines" in shown.output
    assert {"eng_Latn", "zxx_Code"} <= set(json.loads(out.with_suffix(".json").read_text("utf-8"))["languages"])
    texts = tmp_path / "in.jsonl"
    texts.write_text("".join(json.dumps({"text": SAID[code]}) + "\n" for code in ("fra_Latn", "rus_Cyrl")), "utf-8")
    used = ["langid", str(texts), str(tmp_path / "out.jsonl"), "--model", str(out)]
    assert CliRunner().invoke(cli.app, used).exit_code == 0
    said = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [row["language"] for row in said] == ["fra_Latn", "rus_Cyrl"]


def test_training_from_nothing_or_into_another_kind_of_file_is_an_error(tmp_path: Path) -> None:
    for arguments in (
        ["--out", "x.ftz"],
        ["lines.tsv", "--data", "corpora", "--out", "x.ftz"],
        ["a.tsv", "--out", "x"],
    ):
        shown = CliRunner().invoke(cli.app, ["train", "langid", *arguments])
        assert isinstance(shown.exception, ConfigError), shown.output
