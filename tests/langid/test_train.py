"""Training from files: the same bytes for the same seed, held-out lines never seen, faults named by file and line."""

import json
from pathlib import Path

import numpy as np
import pytest

from tamis.errors import ConfigError, InputError, UnknownNameError
from tamis.langid import augment, identify
from tamis.langid.corpora import gather, read_recipe
from tamis.langid.model import Fit
from tamis.langid.nonsense import nonsense
from tamis.langid.train import Line, Training, choose, examples, is_held_out, read_lines, split, train

PAGES = Path(__file__).resolve().parents[2] / "examples" / "miniweb" / "pages"
SMALL = Training(
    minimum=20, floor=50, nonsense=60, fit=Fit(dim=16, minn=2, maxn=3, buckets=5000, epochs=12, rate=0.5, min_count=2)
)


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences of six languages, from the pages bundled with the project."""
    rows = []
    for code in ("eng_Latn", "fra_Latn", "deu_Latn", "rus_Cyrl", "ukr_Cyrl", "tha_Thai"):
        for path in sorted((PAGES / code).glob("*.json")):
            text = json.loads(path.read_text("utf-8")).get("main_text") or ""
            rows += [f"{code}\t{line}" for line in text.split("\n") if len(line) > 30]
    out = tmp_path_factory.mktemp("train") / "pages.tsv"
    out.write_text("\n".join(rows), "utf-8")
    return out


@pytest.fixture(scope="session")
def trained(lines: Path) -> Path:
    out = lines.parent / "small.ftz"
    train([lines], out, training=SMALL)
    return out


def test_a_small_model_learns_and_comes_with_its_card(trained: Path) -> None:
    card = json.loads(trained.with_suffix(".json").read_text("utf-8"))
    assert {"eng_Latn", "rus_Cyrl", "zxx_Code"} <= set(card["languages"])
    assert card["languages"]["fra_Latn"]["name"] == "French"
    assert card["languages"]["fra_Latn"]["test"]["lines"] > 0
    said = identify(["Le chat dort sur la table de la cuisine depuis ce matin."], model=str(trained))
    assert said.field("language").to_pylist() == ["fra_Latn"]


def test_training_again_gives_the_same_bytes(trained: Path, lines: Path, tmp_path: Path) -> None:
    train([lines], tmp_path / "again.ftz", training=SMALL)
    assert (tmp_path / "again.ftz").read_bytes() == trained.read_bytes()


def test_held_out_lines_are_chosen_by_their_text_alone(lines: Path) -> None:
    found, skipped = read_lines([lines])
    assert skipped == 0
    learn, test = split(found, choose(found, SMALL), SMALL)
    assert {line.text for line in learn}.isdisjoint(line.text for line in test)
    assert is_held_out("Some  TEXT", 0.5) == is_held_out("some text", 0.5)
    share = np.mean([is_held_out(f"line {number}", 0.1) for number in range(5000)])
    assert 0.08 < share < 0.12


def test_a_source_can_be_left_out_whole() -> None:
    rows = [Line("fra_Latn", f"un {n}", "a") for n in range(30)] + [
        Line("fra_Latn", f"deux {n}", "b") for n in range(9)
    ]
    learn, test = split(rows, frozenset({"fra_Latn"}), Training(without=("b",), held_out=0))
    assert {line.source for line in learn} == {"a"}
    assert {line.source for line in test} == {"b"}


def test_examples_are_what_a_model_is_shown() -> None:
    line = Line("fra_Latn", "Voir https://a.example/b et  <b>lire</b> 12 pages. " * 9, "a")
    found = [text for _, text in examples([line], 60)]
    assert len(found) == 3
    assert all("http" not in text and "<" not in text and "12" not in text for text in found)


def test_changes_are_the_same_for_the_same_seed() -> None:
    texts = ["Une phrase assez longue pour être coupée.", "Où êtes-vous allés hier ?"]
    made = [
        list(augment.balanced("fra_Latn", texts, Training(floor=40, repeat=20), np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    ]
    assert made[0] == made[1] != made[2]
    assert len(made[0]) == 40
    assert all(text.strip() for _, text in made[0])
    assert augment.bare("Où êtes-vous") == "Ou etes-vous"


def test_nonsense_is_the_same_for_the_same_seed() -> None:
    assert nonsense(1, 50) == nonsense(1, 50) != nonsense(2, 50)
    assert {code for code, _ in nonsense(1, 50)} == {"zxx_Code", "zxx_Tags", "zxx_Junk"}


def test_faults_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "bad.tsv"
    bad.write_text("fra_Latn\tbonjour\nxx_Yyyy\thello\n", "utf-8")
    with pytest.raises(UnknownNameError, match=r"bad\.tsv:2"):
        read_lines([bad])
    with pytest.raises(InputError):
        read_lines([tmp_path / "gone.tsv"])
    few = tmp_path / "few.tsv"
    few.write_text("fra_Latn\tbonjour\nno tab here\n", "utf-8")
    assert read_lines([few])[1] == 1
    with pytest.raises(ConfigError, match="minimum"):
        train([few], tmp_path / "out.ftz")


def test_the_shipped_recipe_reads_and_misspelt_keys_do_not(tmp_path: Path) -> None:
    recipe = read_recipe()
    assert {source.name for source in recipe.sources} >= {"common-voice", "tatoeba", "bible", "udhr"}
    assert all(source.licence for source in recipe.sources)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[training]\nminimun = 3\n", "utf-8")
    with pytest.raises(UnknownNameError, match="minimum"):
        read_recipe(wrong)


def test_corpora_become_lines_with_the_script_of_their_text(tmp_path: Path) -> None:
    (tmp_path / "c.tsv").write_text(
        "lang\ttext\nsr\tОво је реченица.\nsr\tOvo je rečenica.\nzh\t這說國時間。\n"
        'en\t"Quoted ""words"" here."\nru\tLatin text\nxq\t?\n',
        "utf-8",
    )
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        '[[source]]\nname = "c"\npath = "c.tsv"\nlanguage = "lang"\ntext = "text"\nlicence = "CC0-1.0"\n', "utf-8"
    )
    (out,) = gather(read_recipe(recipe), tmp_path, tmp_path / "out")
    assert out.read_text("utf-8").splitlines() == [
        "srp_Cyrl\tОво је реченица.",
        "srp_Latn\tOvo je rečenica.",
        "cmn_Hant\t這說國時間。",
        'eng_Latn\tQuoted "words" here.',
    ]


def test_scripts_veto_a_tiny_model_too(trained: Path) -> None:
    """The table of short strings, by a model of six languages: no script gets a language that is not written in it."""
    rows = [
        line.split("\t")[1] for line in (Path(__file__).with_name("data") / "short.tsv").read_text("utf-8").splitlines()
    ]
    for text, said in zip(rows, identify(rows, model=str(trained)).field("language").to_pylist(), strict=True):
        letters = [character for character in text if character.isalpha()]
        if letters and all(character.isascii() for character in letters):
            assert said in {"und", "und_Latn", "eng_Latn", "fra_Latn", "deu_Latn"} or said.startswith("zxx"), text
        if letters and all("\u4e00" <= character <= "\u9fff" for character in letters):
            assert said == "und_Hani", text
