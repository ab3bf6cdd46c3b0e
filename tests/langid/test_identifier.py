"""Documents: right answers, invariance, bilingual pages, hostile input, pickling."""

import json
import unicodedata
from pathlib import Path

import cloudpickle
import pyarrow as pa
import pytest

import tamis.langid
from tamis.errors import ModelError, UnknownNameError
from tamis.langid import Identifier, identify
from tamis.langid.identifier import IDENTIFIED

PAGES = Path(__file__).resolve().parents[2] / "examples" / "miniweb" / "pages"
ENGLISH = "The ferry leaves at noon and comes back before dark, unless the wind turns against it. "
RUSSIAN = "Паром отходит в полдень и возвращается до темноты, если ветер не переменится. "
FRENCH = "Le bac part à midi et revient avant la nuit, sauf si le vent tourne contre lui. "
JAPANESE = "渡し船は正午に出て、風向きが変わらなければ日没前に戻ってくる。"
CHINESE = "渡船中午出发，如果风向不变，天黑之前就会回来。"


def languages(texts: list[str | None], model: str = "default") -> list[str]:
    return identify(texts, model=model).field("language").to_pylist()


def pages() -> list[tuple[str, str]]:
    """Main text and language of the pages bundled with the project, in 24 languages."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(PAGES.glob("*/*.json"))]
    return [(page["language"], page["main_text"]) for page in found if page.get("main_text") and page.get("language")]


def test_pages_of_the_bundled_web_are_identified() -> None:
    known = pages()
    said = languages([text for _, text in known])
    wrong = [(true, one) for (true, _), one in zip(known, said, strict=True) if true != one]
    assert len(wrong) <= 0.01 * len(known), wrong


def test_the_answer_does_not_depend_on_newlines_edges_or_normal_form() -> None:
    texts = [text for _, text in pages()][:120]
    texts += [ENGLISH, RUSSIAN * 3, JAPANESE, CHINESE, FRENCH + "\n" + ENGLISH * 9]
    expected = identify(texts).to_pylist()
    variants = {
        "crlf": [text.replace("\n", "\r\n") for text in texts],
        "line separator": [text.replace("\n", "\u2028") for text in texts],
        "trailing newline": [text + "\n" for text in texts],
        "trailing spaces": [text + "   " for text in texts],
        "byte order mark": ["\ufeff" + text for text in texts],
        "nfd": [unicodedata.normalize("NFD", text) for text in texts],
        "nfc": [unicodedata.normalize("NFC", text) for text in texts],
    }
    for name, changed in variants.items():
        assert identify(changed).to_pylist() == expected, name


def test_the_answer_does_not_depend_on_batch_neighbours() -> None:
    texts = [text for _, text in pages()][:60]
    together = identify(texts).to_pylist()
    assert together == [identify([text]).to_pylist()[0] for text in texts]
    assert together == identify(texts[::-1]).to_pylist()[::-1]


@pytest.mark.parametrize("text", ["", " ", "\n", "\0", "\ud800", "\ufeff", "12345", "😀", None])
def test_nothing_to_go_by_is_undetermined(text: str | None) -> None:
    answer = identify([text]).to_pylist()[0]
    assert (answer["language"], answer["score"]) == ("und", 0.0)


def test_as_many_answers_as_texts_in_order() -> None:
    texts = ["", RUSSIAN, None, "\n", ENGLISH, "\ud800" + FRENCH, "\0" + ENGLISH]
    answers = identify(texts)
    assert answers.type == IDENTIFIED
    assert languages(texts) == ["und", "rus_Cyrl", "und", "und", "eng_Latn", "fra_Latn", "eng_Latn"]
    assert len(identify([])) == 0


def test_short_text_is_undetermined_in_its_script() -> None:
    assert languages(["LOVE", "да", "漢"]) == ["und_Latn", "und_Cyrl", "und_Hani"]


def test_a_document_in_two_languages_says_so() -> None:
    answer = identify([FRENCH * 12 + "\n" + ENGLISH * 6]).to_pylist()[0]
    assert (answer["language"], answer["second_language"]) == ("fra_Latn", "eng_Latn")
    assert 0.2 < answer["second_share"] < 0.5
    answer = identify([RUSSIAN * 10 + "\n" + ENGLISH * 7]).to_pylist()[0]
    assert (answer["language"], answer["second_language"]) == ("rus_Cyrl", "eng_Latn")
    assert identify([FRENCH * 12]).to_pylist()[0]["second_language"] is None


def test_a_cookie_banner_does_not_decide() -> None:
    banner = "We use cookies to improve your experience. By continuing you accept our policy.\nAccept all\nReject\n"
    assert languages([banner + (FRENCH * 3 + "\n") * 3]) == ["fra_Latn"]


@pytest.mark.parametrize(
    "snippet",
    [
        "function a(b,c){return b.d(c)||null}var e=document.getElementById('x');e.style.display='none';" * 3,
        ".nav > .item:hover { margin: 0 auto; display: none; } #main { float: left; }" * 3,
        '{"id": 7, "items": [{"key": "a", "value": null}], "next": false}' * 4,
        "aGVsbG8gd29ybGQsIHRoaXMgaXMgYmFzZTY0IHRleHQgb2Ygc29tZSBsZW5ndGg" * 3,
    ],
)
def test_code_and_noise_are_no_language(snippet: str) -> None:
    assert languages([snippet])[0][:3] in ("zxx", "und")


def test_identifiers_travel_light() -> None:
    sent = cloudpickle.dumps(Identifier())
    assert len(sent) < 100_000
    back = cloudpickle.loads(sent)
    assert back.fingerprint == Identifier().fingerprint
    assert back.identify(pa.array([ENGLISH], pa.large_string())).to_pylist()[0]["language"] == "eng_Latn"


def test_a_language_the_model_cannot_answer_is_an_error_before_the_run(shipped: Identifier) -> None:
    assert shipped.require(["en", "eng", "eng_Latn", "English", "zh-TW"]) == ["eng_Latn"] * 4 + ["cmn_Hant"]
    with pytest.raises(UnknownNameError, match="cannot answer"):
        shipped.require(["Klingon"])


def test_the_shipped_model_covers_what_it_says(shipped: Identifier) -> None:
    assert len({code for code in shipped.languages if not code.startswith("zxx")}) >= 150
    assert Path(shipped.file.path).stat().st_size <= 8_000_000


def test_a_missing_or_broken_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        Identifier(str(tmp_path / "gone.ftz"))
    broken = tmp_path / "broken.ftz"
    broken.write_bytes(b"not a model")
    with pytest.raises(ModelError):
        Identifier(str(broken)).identify(pa.array([ENGLISH], pa.large_string()))
    with pytest.raises(UnknownNameError, match="default"):
        Identifier("defualt")


def test_fingerprints_tell_models_apart(shared: Path) -> None:
    assert Identifier().fingerprint == Identifier("default").fingerprint
    assert Identifier(str(shared / "models" / "lid.176.ftz")).fingerprint != Identifier().fingerprint


def test_other_models_answer_in_the_same_codes(shared: Path) -> None:
    said = languages([ENGLISH, RUSSIAN, JAPANESE, CHINESE], str(shared / "models" / "lid.176.ftz"))
    assert said == ["eng_Latn", "rus_Cyrl", "jpn_Jpan", "cmn_Hans"]


def test_the_function_is_callable_wherever_it_is_found() -> None:
    assert tamis.langid.identify([ENGLISH]).to_pylist()[0]["language"] == "eng_Latn"
