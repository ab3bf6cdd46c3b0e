"""Short and noisy strings: right or undetermined, and never in a language their script rules out."""

from pathlib import Path

import pyarrow as pa

from tamis.langid import Identifier
from tamis.langid.codes import language_of

TABLE = Path(__file__).with_name("data") / "short.tsv"
LATIN_NEVER = {"jpn", "rus", "tha", "cmn", "arb", "kor"}
HAN_ONLY_MAY = {"cmn", "yue", "wuu", "jpn", "und", "gan", "hak", "nan"}


def strings() -> list[tuple[set[str], str]]:
    """Over 400 strings of at most 20 characters, and the language each may be said to be in: none for 170 of them."""
    rows = [line.split("\t") for line in TABLE.read_text("utf-8").splitlines()]
    return [({language} - {""}, text) for language, text in rows]


def test_the_table_is_what_it_is_said_to_be() -> None:
    assert len(strings()) >= 400
    assert all(0 < len(text) <= 20 for _, text in strings())
    assert sum(not allowed for allowed, _ in strings()) >= 150
    assert len({code for allowed, _ in strings() for code in allowed}) >= 50


def test_answered_short_strings_are_right(shipped: Identifier) -> None:
    rows = strings()
    answers = shipped.identify(pa.array([text for _, text in rows], pa.large_string())).field("language").to_pylist()
    answered = [
        (text, said, language_of(said) in allowed)
        for (allowed, text), said in zip(rows, answers, strict=True)
        if language_of(said) not in ("und", "zxx")
    ]
    wrong = [row for row in answered if not row[2]]
    print(f"undetermined: {sum(language_of(said) == 'und' for said in answers) / len(answers):.3f} of {len(answers)}")
    # Abstaining is no way to pass: most of the strings that are in a language must be answered.
    assert len(answered) >= 0.6 * sum(bool(allowed) for allowed, _ in rows)
    assert 1 - len(wrong) / len(answered) >= 0.98, wrong


def test_scripts_veto_whatever_a_model_says(stubborn, shipped: Identifier) -> None:
    rows = strings()
    texts = pa.array([text for _, text in rows], pa.large_string())
    for name, identifier in (
        ("shipped", shipped),
        ("english", stubborn([(0.99, "__label__en"), (0.004, "__label__de")])),
        ("japanese", stubborn([(0.99, "__label__jpn_Jpan"), (0.005, "__label__tha_Thai")])),
    ):
        for (_, text), said in zip(rows, identifier.identify(texts).field("language").to_pylist(), strict=True):
            letters = [character for character in text if character.isalpha()]
            if letters and all(character.isascii() for character in letters):
                assert language_of(said) not in LATIN_NEVER, (name, text, said)
            if letters and all("\u4e00" <= character <= "\u9fff" for character in letters):
                assert language_of(said) in HAN_ONLY_MAY, (name, text, said)


def test_a_stubborn_english_model_never_names_other_scripts(stubborn) -> None:
    identifier = stubborn([(0.99, "__label__en")])
    texts = [
        "Это предложение написано по-русски.",
        "これは日本語の文です。",
        "这是中文句子。",
        "ภาษาไทย",
        "plain English words here",
    ]
    said = identifier.identify(pa.array(texts, pa.large_string())).field("language").to_pylist()
    assert said == ["und_Cyrl", "und_Jpan", "und_Hani", "und_Thai", "eng_Latn"]
