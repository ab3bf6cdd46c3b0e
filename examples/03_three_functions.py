"""The three functions most people call first, without a run: extract, identify, deduplicate."""

from __future__ import annotations

from tamis.dedup import deduplicate
from tamis.extract import extract_html
from tamis.langid import identify

PAGE = b"""<html lang="fr"><title>Le pont</title><body><nav><a href="/">Accueil</a></nav><article>
<p>Le vieux pont de pierre rouvre apres deux ans de travaux, et les habitants du village sont venus nombreux.</p>
<p>Le maire a promis que le passage resterait gratuit pour les pietons comme pour les cyclistes.</p>
</article></body></html>"""


def main() -> None:
    page = extract_html(PAGE, url="https://exemple.example/pont")
    print(page.title, "|", page.text.split("\n")[0])
    texts = ["Der Zug kommt heute spaeter an als sonst.", "The train is late again this morning.", page.text]
    for answer in identify(texts).to_pylist():
        print(answer["language"], round(answer["score"], 2))
    print(deduplicate([*texts, page.text + "!"]).to_pylist())


if __name__ == "__main__":
    main()
