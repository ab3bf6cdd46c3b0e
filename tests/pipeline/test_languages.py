"""Languages in a run: policies for confusable ones whose rows add up, and thresholds from the run's own scores."""

import json
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow.csv as pa_csv
import pyarrow.dataset as ds
import pytest

import tamis
from tamis.errors import ConfigError, UnknownNameError
from tamis.langid.groups import group_of
from tamis.pipeline.run import Report
from tamis.recipe import Recipe

WHO = ("Učitelj", "Naš sused", "Mala devojčica", "Stari ribar", "Njegov brat")
DID = ("je juče doneo mleko i beli hleb", "uvek priča lepe priče", "će posle posla otići u pozorište",
       "nije hteo da peva celu pesmu", "misli da treba da bude mirno")  # fmt: skip
WHERE = ("na obali reke.", "u belom gradu.", "pre podne.", "sledeće nedelje.")
HR_WHO = ("Učitelj", "Naš susjed", "Mala djevojčica", "Stari ribar", "Njegov brat")
HR_DID = ("je jučer donio mlijeko i bijeli kruh", "uvijek priča lijepe priče", "će poslije posla otići u kazalište",
          "nije htio pjevati cijelu pjesmu", "misli da treba biti mirno")  # fmt: skip
HR_WHERE = ("na obali rijeke.", "u bijelom gradu.", "prije podne.", "sljedećeg tjedna.")
CYRILLIC = dict(zip("abcčćdđefghijklmnoprsštuvzž", "абцчћдђефгхијклмнопрсштувзж", strict=True))


def cyrillic(text: str) -> str:
    for pair, letter in (("lj", "љ"), ("nj", "њ"), ("dž", "џ"), ("Nj", "Њ")):
        text = text.replace(pair, letter)
    turned = (CYRILLIC.get(c.lower(), c) for c in text)
    return "".join(new.upper() if old.isupper() else new for old, new in zip(text, turned, strict=True))


def sentences() -> list[str]:
    """300 sentences: 100 Serbian in Cyrillic, the same in Latin, 100 Croatian."""
    serbian = [" ".join(parts) for parts in product(WHO, DID, WHERE)]
    return [*map(cyrillic, serbian), *serbian, *(" ".join(parts) for parts in product(HR_WHO, HR_DID, HR_WHERE))]


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"id": f"d{n}", "text": text}) + "\n" for n, text in enumerate(texts)), "utf-8")
    return path


def run(source: Path, output: Path, **langid: Any) -> Report:
    return tamis.run(source, output, recipe=Recipe("test", {"langid": langid}), executor="inline")


def booked(report: Report) -> Counter[str]:
    """Documents in, by language, at the step that judges languages."""
    rows = [row for row in report.table().to_pylist() if (row["step"], row["outcome"]) == ("language", "in")]
    return Counter({row["language"]: row["documents"] for row in rows})


def tokens(report: Report) -> Counter[str]:
    rows = [row for row in report.table().to_pylist() if (row["step"], row["outcome"]) == ("language", "in")]
    return Counter({row["language"]: row["tokens"] for row in rows})


def documents(output: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ds.dataset(sorted(map(str, (output / "documents").iterdir()))).to_table().to_pylist()
    return found


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Report, Path]]:
    folder = tmp_path_factory.mktemp("policies")
    source = write(folder / "in.jsonl", sentences())
    chosen: dict[str, Any] = {name: name for name in ("separate", "merge", "ambiguous")}
    chosen["one"] = {"default": "separate", "hbs_Latn": "merge"}
    return {
        name: (run(source, folder / name, confusable=policy, margin=0.6), folder / name)
        for name, policy in chosen.items()
    }


def test_serbian_is_split_by_script_and_cyrillic_is_never_croatian(policies: dict[str, tuple[Report, Path]]) -> None:
    said = {row["id"]: row["language"] for row in documents(policies["separate"][1])}
    assert len(said) == 300
    cyrillic_ones = Counter(said[f"d{n}"] for n in range(100))
    assert cyrillic_ones["srp_Cyrl"] >= 80
    assert all(code.endswith("_Cyrl") and code[:3] not in ("hrv", "bos") for code in cyrillic_ones)
    assert all(said[f"d{n}"].endswith("_Latn") for n in range(100, 300))
    rows = booked(policies["separate"][0])
    assert rows["srp_Cyrl"] == cyrillic_ones["srp_Cyrl"]
    assert rows["srp_Latn"] > 0 and rows["hrv_Latn"] > 0


@pytest.mark.parametrize("measure", [booked, tokens])
def test_totals_add_up_in_every_policy(policies: dict[str, tuple[Report, Path]], measure: Any) -> None:
    separate, merged, marked, one = (measure(policies[name][0]) for name in ("separate", "merge", "ambiguous", "one"))
    assert separate.total() == merged.total() == marked.total() == one.total()
    groups = {group_of(code) for code in separate}
    for group in groups:
        members = sum(amount for code, amount in separate.items() if group_of(code) == group or code == group)
        assert merged[group] == members
        assert sum(amount for code, amount in marked.items() if code == group or group_of(code) == group) == members
    assert {code for code in merged if group_of(code) != code} == set()
    assert 0 < marked["hbs_Latn"] < merged["hbs_Latn"]
    assert one["hbs_Latn"] == merged["hbs_Latn"]
    assert one["srp_Cyrl"] == separate["srp_Cyrl"]


def test_the_books_balance_and_documents_carry_the_policys_language(policies: dict[str, tuple[Report, Path]]) -> None:
    for report, output in policies.values():
        report.ledger.check()
        kept = Counter(row["language"] for row in documents(output))
        assert kept == Counter({code: n for code, n in booked(report).items() if n})
    told = {row["id"]: row for row in documents(policies["separate"][1])}
    for row in documents(policies["ambiguous"][1]):
        before = told[row["id"]]
        if group_of(before["language"]) == before["language"]:
            assert row["language"] == before["language"]
            continue
        close = before["language_score"] - before["rival_score"] < 0.6
        kin = group_of(before["language"]) == group_of(before["rival_language"] or "")
        assert (row["language"] == group_of(before["language"])) == (close and kin)
        if close and kin:
            assert row["language_score"] == pytest.approx(min(1, before["language_score"] + before["rival_score"]))


@pytest.mark.parametrize(
    ("langid", "message"),
    [
        ({"confusable": "mrege"}, "merge"),
        ({"confusable": {"hbs_Latm": "merge"}}, "hbs_Latn"),
        ({"confusable": {"hbs_Latn": "join"}}, "join"),
        ({"confusable": 3}, "policy"),
        ({"confusable": "merge", "keep": ["hrv_Latn"]}, "hbs_Latn"),
        ({"confusable": "merge", "at_least": {"default": 0.4, "Croatian": 0.6}}, "hbs_Latn"),
        ({"keep": ["hbs_Latn"]}, "cannot answer"),
        ({"keep": ["Klingon"]}, "cannot answer tlh_Latn"),
        ({"at_least": {"default": 0.4, "Klingon": 0.6}}, "cannot answer tlh_Latn"),
        ({"keep": ["Frnech"]}, "French"),
        ({"at_least": "spred"}, "spread"),
        ({"margin": 3.0}, "between 0 and 1"),
    ],
)
def test_what_can_never_be_is_an_error_before_the_run(tmp_path: Path, langid: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(tmp_path / "there-is-no-input", tmp_path / "out", **langid)
    assert not (tmp_path / "out").exists()


def test_every_spelling_of_a_language_means_the_same() -> None:
    kept = {Recipe("test", {"langid": {"keep": [name]}}).settings().langid.keep for name in ("en", "eng", "eng_Latn")}
    bounds = [
        Recipe("test", {"langid": {"at_least": {"default": 0.1, name: 0.7}}}).settings() for name in ("fr", "French")
    ]
    assert kept == {("eng_Latn",)} == {Recipe("test", {"langid": {"keep": ["English"]}}).settings().langid.keep}
    assert bounds[0].language_options() == bounds[1].language_options()
    assert bounds[0].language_options()["at_least"] == {"default": 0.1, "fra_Latn": 0.7}


def test_groups_may_be_kept_where_the_policy_makes_them(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", sentences()[100:260:8])
    report = run(source, tmp_path / "out", confusable="merge", keep=["hbs_Latn"])
    assert set(booked(report)) == {"hbs_Latn"}
    assert len(documents(tmp_path / "out")) == 20


@pytest.mark.parametrize("way", ["spread", "purity"])
def test_thresholds_come_from_the_runs_own_scores(tmp_path: Path, way: str) -> None:
    source = write(tmp_path / "in.jsonl", [f"{a} {b}" for a in sentences()[::7] for b in sentences()[3::90]])
    first = run(source, tmp_path / "out", at_least=way)
    printed = (tmp_path / "out" / "report" / "thresholds.csv").read_bytes()
    table = {row["language"]: row for row in pa_csv.read_csv(tmp_path / "out/report/thresholds.csv").to_pylist()}
    assert table["srp_Latn"]["in_force"] == table["srp_Latn"][f"by_{way}"]
    lock = json.loads((tmp_path / "out" / "recipe.lock.json").read_text())
    assert lock["settings"]["language"]["at_least"]["srp_Latn"] == table["srp_Latn"]["in_force"]
    page = (tmp_path / "out" / "report" / "index.html").read_text("utf-8")
    assert "Language scores" in page
    dropped = {row["language"] for row in first.table().to_pylist() if row["reason"] == "language_score"}
    for row in documents(tmp_path / "out"):
        if not row["language"].startswith("und"):
            assert row["language_score"] >= table[row["language"]]["in_force"] - 1e-6
    assert dropped <= set(table)
    # Again in place, with nothing left to do; again after the work is removed; and again elsewhere.
    manifest = (tmp_path / "out" / "manifest.jsonl").read_bytes()
    again = run(source, tmp_path / "out", at_least=way)
    assert again.ledger.table() == first.ledger.table()
    tamis.run(
        source, tmp_path / "out", recipe=Recipe("test", {"langid": {"at_least": way}}), executor="inline", clean=True
    )
    run(source, tmp_path / "out", at_least=way)
    run(source, tmp_path / "other", at_least=way)
    for output in ("out", "other"):
        assert (tmp_path / output / "report" / "thresholds.csv").read_bytes() == printed
        assert (tmp_path / output / "manifest.jsonl").read_bytes() == manifest
    # Other bounds need no new extraction: what is stored is judged anew.
    assert run(source, tmp_path / "out", at_least=0.0).ledger.total("language", "dropped").documents == 0


def test_what_the_identifier_says_is_in_the_documents(tmp_path: Path) -> None:
    french = "Le bac part à midi et revient avant la nuit, sauf si le vent tourne contre lui. "
    english = "The ferry leaves at noon and comes back before dark, unless the wind turns against it. "
    source = write(
        tmp_path / "in.jsonl",
        [french * 12 + "\n" + english * 6, french * 9, "我哋喺車站等咗好耐，啲人都走晒喇。" * 3, "да"],
    )
    run(source, tmp_path / "out")
    both, one, cantonese, short = sorted(documents(tmp_path / "out"), key=lambda row: row["id"])
    assert (both["language"], both["second_language"]) == ("fra_Latn", "eng_Latn")
    assert both["language_share"] + both["second_share"] == pytest.approx(1, abs=0.1)
    assert both["language_share"] > 0.5 > both["second_share"] > 0.2
    assert (one["second_language"], one["language_share"]) == (None, 1.0)
    assert cantonese["language"] == "yue_Hant" and cantonese["cantonese_share"] > 0.1
    assert short["language"] == "und_Cyrl"
    assert booked(run(source, tmp_path / "out"))["und_Cyrl"] == 1


def test_a_model_is_no_language(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="default"):
        run(tmp_path / "none", tmp_path / "out", model="defualt")
