"""What must not change a verdict, in every family: how a text is encoded, spaced, broken into lines and batched."""

from __future__ import annotations

import random
import unicodedata

import pyarrow as pa
import pytest

from tamis.filters import (
    Chain,
    boilerplate_lines,
    c4_quality,
    ccnet_length,
    fineweb_quality,
    gopher_quality,
    gopher_repetition,
    mc4_paragraphs,
    nemo_rules,
    pii_masking,
    refinedweb_lines,
)

SENTENCES = {
    "eng_Latn": "The people of the small town have to be patient with the {}th letter, and that is hard for them.",
    "fra_Latn": "Les élèves de la petite école ont reçu la {}e lettre de l’été, et cela ne leur a pas plu à tous.",
    "vie_Latn": "Những người trong thị trấn nhỏ đã nhận được lá thư thứ {} và điều đó là rất khó đối với họ.",
    "hin_Deva": "छोटे शहर के लोगों को {} वां पत्र मिला और यह उनके लिए बहुत कठिन था क्योंकि वे इसे पढ़ नहीं सके।",
    "kor_Hang": "작은 마을의 사람들은 {}번째 편지를 받았고 그것은 그들에게 매우 어려운 일이었다.",
    "cmn_Hans": "这个小镇的人们收到了第{}封信,这对他们来说是一件非常困难的事情,因为他们不能阅读。",
    "tha_Thai": "ผู้คนในเมืองเล็กได้รับจดหมายฉบับที่ {} และนั่นเป็นเรื่องยากมากสำหรับพวกเขาเพราะพวกเขาอ่านไม่ออก",
    "ell_Grek": "Οι άνθρωποι της μικρής πόλης έλαβαν την {}η επιστολή και αυτό ήταν πολύ δύσκολο για αυτούς.",
    "arb_Arab": "تلقى سكان المدينة الصغيرة الرسالة رقم {} وكان ذلك صعبا جدا عليهم لأنهم لم يتمكنوا من قراءتها.",
}

CHAINS = {
    "quality": lambda: gopher_quality(),
    "repetition": lambda: gopher_repetition(),
    "c4": lambda: c4_quality(),
    "fineweb": lambda: fineweb_quality(),
    "refinedweb": lambda: refinedweb_lines(),
    "ccnet": lambda: ccnet_length(),
    "mc4": lambda: mc4_paragraphs(),
    "nemo": lambda: nemo_rules(),
    "boilerplate": lambda: boilerplate_lines(),
    "pii": lambda: pii_masking(),
    "all": lambda: Chain(gopher_repetition(), gopher_quality(), c4_quality(), fineweb_quality()),
}

CHANGES = {
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "trailing spaces": lambda text: text.replace("\n", "  \t\n"),
    "blank lines": lambda text: "\n\n" + text.replace("\n\n", "\n\n\n\n") + "\n\n",
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "nfd": lambda text: unicodedata.normalize("NFD", text),
    "nfc": lambda text: unicodedata.normalize("NFC", text),
    "final newline": lambda text: text + "\n",
}


def documents(language: str) -> list[str]:
    """Clean prose, and prose spoiled to several degrees so that every rule has something to say."""
    pick = random.Random(language)
    sentence = SENTENCES[language]
    made = []
    for degree in range(12):
        lines = [
            " ".join(sentence.format(pick.randint(2, 10**6)) for _ in range(pick.randint(1, 3)))
            for _ in range(pick.randint(3, 9))
        ]
        lines += ["", *pick.choices(lines, k=degree % 4)]
        lines += [sentence.format(5)[:9]] * (2 * (degree % 5)) + ["* # – …"] * (degree % 3)
        pick.shuffle(lines)
        made.append("\n".join(lines))
    return made


def verdicts(chain: Chain, texts: list[str], language: str) -> list[str]:
    rows = {"row": pa.array(range(len(texts))), "text": pa.array(texts, pa.large_string())}
    sifted = chain(pa.record_batch(rows | {"language": pa.array([language] * len(texts))}))
    found = dict(zip(sifted.dropped["row"].to_pylist(), sifted.dropped["reason"].to_pylist(), strict=True))
    return [found.get(row, "") for row in range(len(texts))]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("family", CHAINS)
def test_what_must_not_change_a_verdict(family: str, change: str) -> None:
    chain = CHAINS[family]()
    for language in SENTENCES:
        texts = documents(language)
        changed = [CHANGES[change](text) for text in texts]
        assert verdicts(chain, changed, language) == verdicts(chain, texts, language), language


@pytest.mark.parametrize("family", CHAINS)
def test_verdicts_do_not_depend_on_batch_or_slice(family: str) -> None:
    chain = CHAINS[family]()
    texts = [text for language in SENTENCES for text in documents(language)]
    codes = [language for language in SENTENCES for _ in documents(language)]
    rows = {"row": pa.array(range(len(texts))), "text": pa.array(texts, pa.large_string()), "language": codes}
    whole = chain(pa.record_batch(rows))
    found = []
    for start in range(0, len(texts), 7):
        part = chain(pa.record_batch(rows).slice(start, 7))
        assert part.kept.to_pylist() == [row for row in whole.kept.to_pylist() if start <= row["row"] < start + 7]
        found += part.dropped.to_pylist()
    assert repr(found) == repr(whole.dropped.to_pylist())


def test_doubling_a_clean_document_flips_repetition_rules_only() -> None:
    for language, sentence in SENTENCES.items():
        clean = "\n".join(f"{number} " + sentence.format(number * 7919) for number in range(2, 6)) + "\n"
        assert verdicts(gopher_quality(min_stop_words=0), [clean, clean * 2], language) == ["", ""], language
        assert verdicts(c4_quality(min_sentences=2), [clean, clean * 2], language) == ["", ""], language
        assert verdicts(gopher_repetition(), [clean * 2], language) != [""], language
        assert verdicts(fineweb_quality(), [clean * 2], language) == ["repeated_line_char_share"], language
