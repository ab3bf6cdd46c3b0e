"""Write reference text for `tamis train thresholds` from the shared corpora: language, source and text, tab-separated.

    python -P tools/reference_text.py ../shared/data/text > rows.tsv

The Universal Declaration (`parallel`), Bible verses, Tatoeba, Common Voice and FLORES-200. A text's script is the one
most letters of its file are in. What is written is for deriving tables; the text itself is not redistributed.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tamis.errors import TamisError
from tamis.langid.codes import resolve
from tamis.text.scripts import main_scripts

# File -> the source's name, and the columns of its language, its script (or -1) and its text.
FILES = {
    "udhr/udhr.tsv.gz": ("parallel", 1, 2, 4),
    "bible-corpus/verses.tsv.gz": ("bible", 0, -1, 3),
    "tatoeba-laser/tatoeba.tsv.gz": ("tatoeba", 0, -1, 1),
    "common-voice/sentences.tsv.gz": ("common-voice", 0, -1, 1),
    "flores200-7langs/devtest.tsv.gz": ("flores", 0, -1, 2),
}


def rows(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (language, source, text) of every corpus in the folder; what has no known code is left out."""
    for name, (source, language, script, text) in FILES.items():
        if not (folder / name).is_file():
            continue
        found: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        with gzip.open(folder / name, "rt", encoding="utf-8", newline="") as file:
            table = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            next(table)
            for row in table:
                if len(row) > text:
                    found[row[language], row[script] if script >= 0 else ""][row[0]].append(row[text])
        for (code, written), files in found.items():
            texts = _best(code, files) if source == "parallel" else [text for each in files.values() for text in each]
            named = code_of(code, written, texts)
            yield from ((named, source, each) for each in texts if named)


def _best(code: str, files: dict[str, list[str]]) -> list[str]:
    """Return one translation: several under one code are dialects and old spellings, and the plainest name is the
    standard's."""
    return files[min(files, key=lambda name: (not name.startswith(code), name))]


def code_of(code: str, script: str, texts: list[str]) -> str | None:
    """Return `iso639-3_Script`, or None where no part of the code is known."""
    if "_" in code:
        return code
    if not script:
        script = main_scripts([" ".join(texts[:400])])[0]
        script = {"Hani": "Hans", "Hira": "Jpan"}.get(script, script)
        if code.partition("-")[0] in ("ja", "jpn"):
            script = "Jpan"
        if code in ("zh-TW", "zh-HK", "yue"):
            script = "Hant"
    try:
        found = resolve(f"{resolve(code.partition('-')[0]).partition('_')[0]}_{script}")
        return None if found.startswith("und") else found
    except TamisError:
        return f"{code}_{script}" if len(code) == 3 else None


def main() -> None:
    """Write the rows to standard output."""
    for row in rows(Path(sys.argv[1])):
        sys.stdout.write("\t".join(part.replace("\t", " ").replace("\n", " ") for part in row) + "\n")


if __name__ == "__main__":
    main()
