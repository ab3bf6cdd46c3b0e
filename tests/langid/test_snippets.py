"""Two hundred snippets that nobody wrote as prose: code, data, noise, licences, banners, filler, lists of products."""

import base64
import random
import tomllib
from pathlib import Path

import pytest

from tamis.langid import identify

TABLE = tomllib.loads((Path(__file__).with_name("data") / "snippets.toml").read_text("utf-8"))
FRENCH = "Le bac part à midi et revient avant la nuit, sauf si le vent tourne contre lui. "
PARAGRAPHS = {
    "fra_Latn": "\n".join([FRENCH * 2] * 3),
    "rus_Cyrl": "\n".join(["Паром отходит в полдень и возвращается до темноты, если ветер не переменится. " * 2] * 3),
    "jpn_Jpan": "\n".join(["渡し船は正午に出て、風向きが変わらなければ日没前に戻ってくる。" * 3] * 3),
    "tur_Latn": "\n".join(["Feribot öğlen kalkar ve rüzgâr tersine dönmezse hava kararmadan geri döner. " * 2] * 3),
}


def snippets() -> dict[str, list[str]]:
    """25 of each of eight kinds, the same each time."""
    random_ = random.Random(7)

    def filled(kind: str) -> list[str]:
        templates = TABLE[kind]
        return [templates[n % len(templates)].replace("{n}", str(random_.randint(2, 9999))) for n in range(25)]

    words = TABLE["lorem"].split()
    lorem = []
    for _ in range(25):
        sentences = [" ".join(random_.choices(words, k=random_.randint(5, 12))).capitalize() for _ in range(4)]
        lorem.append(". ".join(sentences) + ".")
    return {
        **{kind: filled(kind) for kind in ("javascript", "css", "json", "licence", "cookies", "products")},
        "base64": [base64.b64encode(random_.randbytes(random_.randint(30, 200))).decode() for _ in range(25)],
        "lorem": lorem,
    }


def test_snippets_are_no_language() -> None:
    given = [(kind, text) for kind, texts in snippets().items() for text in texts]
    assert len(given) == 200
    said = identify([text for _, text in given]).field("language").to_pylist()
    wrong = [
        (kind, one, text[:60]) for (kind, text), one in zip(given, said, strict=True) if one[:3] not in ("und", "zxx")
    ]
    assert len(wrong) <= 0.05 * len(given), wrong


@pytest.mark.parametrize("code", PARAGRAPHS)
def test_boilerplate_before_and_after_paragraphs_does_not_decide(code: str) -> None:
    given = [text for kind in ("cookies", "licence", "javascript", "lorem") for text in snippets()[kind]]
    pages = [page for text in given for page in (f"{text}\n{PARAGRAPHS[code]}", f"{PARAGRAPHS[code]}\n{text}")]
    said = identify(pages).field("language").to_pylist()
    assert [(page, one) for page, one in zip(pages, said, strict=True) if one != code] == []


def test_prose_about_boilerplate_is_prose() -> None:
    """Articles that mention cookies, licences and placeholder text are still in their language."""
    articles = [
        "My grandmother baked cookies every Saturday. She accepted no help, and the whole street knew when they were "
        "done. We children waited on the stairs until she opened the window.",
        "The court ruled yesterday that visitors must be asked before a site stores cookies. Two publishers had argued "
        "that continuing to read was consent; the judges did not agree. Lawyers expect that many sites will change.",
        "Printers have used scrambled Latin as a placeholder since the sixteenth century. The passage that begins with "
        "lorem ipsum comes from Cicero's work on ethics, cut up until nobody could read it any more.",
        "She chose a permissive licence for her library because she wanted companies to use it. Ten years later most "
        "phones contain a copy, and she still answers the bug reports herself, usually on Sunday evenings.",
    ]
    assert set(identify(articles).field("language").to_pylist()) == {"eng_Latn"}
