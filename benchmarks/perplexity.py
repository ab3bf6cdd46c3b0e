"""Perplexity: calibration in many languages, scoring beside datatrove's CCNet block, and training at size.

    python benchmarks/perplexity.py calibrate --text shared/data/text --out bundles/ [--languages 20]
    python benchmarks/perplexity.py speed --bundle bundles/fra_Latn.lm --text FILE
    python benchmarks/perplexity.py train --megabytes 100 --text FILE --out big.lm

`calibrate` and `speed` print one JSON object a line. Texts are Common Voice sentences (CC0), a document a line.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import resource
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tamis.perplexity import bundle
from tamis.perplexity.training import Training, train

# Locales of the corpus, its code here, in fourteen scripts.
LANGUAGES = {
    "fr": "fra_Latn", "vi": "vie_Latn", "tr": "tur_Latn", "fi": "fin_Latn", "sv-SE": "swe_Latn", "rw": "kin_Latn",
    "pl": "pol_Latn", "uk": "ukr_Cyrl", "tt": "tat_Cyrl", "mn": "khk_Cyrl", "el": "ell_Grek", "fa": "pes_Arab",
    "ug": "uig_Arab", "ur": "urd_Arab", "hi": "hin_Deva", "ta": "tam_Taml", "pa-IN": "pan_Guru", "or": "ory_Orya",
    "ja": "jpn_Jpan", "zh-CN": "cmn_Hans", "zh-TW": "cmn_Hant", "dv": "div_Thaa", "ka": "kat_Geor", "th": "tha_Thai",
    "bn": "ben_Beng", "hy-AM": "hye_Armn", "am": "amh_Ethi", "he": "heb_Hebr",
}  # fmt: skip
JUNK = [
    "Home | About | Contact | Login | Register | Cart (0) | FAQ | Sitemap",
    '<div class="nav"><a href="/index.php?id=12&amp;p=3">next</a></div>',
    "copyright 2019 all rights reserved privacy policy terms of use cookies",
    "0x7ffe 0a1b2c3d4e5f a8f5f167f44f4964e6c998dee827110c =-=-=-= %%%",
    "asdf qwer zxcv jkl; fghj tyui bnm, asdf asdf",
]


def sentences(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    with gzip.open(folder / "common-voice" / "sentences.tsv.gz", "rt", encoding="utf-8") as file:
        for line in file:
            locale, _, text = line.rstrip("\n").partition("\t")
            found[locale].append(text)
    return {locale: list(dict.fromkeys(texts)) for locale, texts in found.items()}


def calibrate(arguments: argparse.Namespace) -> None:
    texts = sentences(Path(arguments.text))
    chosen = [locale for locale in LANGUAGES if len(texts.get(locale, [])) >= 1500][: arguments.languages]
    rows = [calibrated(locale, texts, chosen, Path(arguments.out)) for locale in chosen]
    for row in rows:
        print(json.dumps(row, ensure_ascii=False), flush=True)
    print(json.dumps({
        "languages": len(rows), "scripts": len({row["language"][4:] for row in rows}),
        "calibration_error_at_most_3": sum(row["calibration_error"] <= 3 for row in rows),
        "shuffled_above_p95": sum(row["shuffled_median"] > 95 for row in rows),
        "other_above_p99": sum(row["other_median"] > 99 for row in rows),
        "junk_in_tail": sum(row["junk_in_tail"] > 0.5 for row in rows),
    }))  # fmt: skip


def calibrated(locale: str, texts: dict[str, list[str]], chosen: list[str], out: Path) -> dict[str, Any]:
    """Train on the first four fifths, of which training holds out a share itself, and ask of the rest."""
    rng = random.Random(6)
    mine = list(texts[locale])
    rng.shuffle(mine)
    cut = len(mine) * 7 // 10
    folder = out / f"{LANGUAGES[locale]}.lm"
    shutil.rmtree(folder, ignore_errors=True)
    started = time.process_time()
    training = Training(
        order=5, prune=(0,), pieces=2000 if LANGUAGES[locale][:3] not in ("jpn", "cmn") else 8000, hold_out=0.3
    )
    train(mine[:cut], folder, LANGUAGES[locale], training=training, licence="CC0-1.0")
    seconds = time.process_time() - started
    held = bundle.load(folder)
    other = texts[next(code for code in chosen[::-1] if code != locale)]
    clean = mine[cut:]
    row: dict[str, Any] = {"language": LANGUAGES[locale], "train_cpu_seconds": round(seconds, 1), "clean": len(clean)}
    for variant in ("perplexity", "bits_per_byte"):
        reference = held.references[variant]

        def places(lines: list[str], variant: str = variant, reference: Any = reference) -> np.ndarray:
            scores = held.scorer.score(lines, min_tokens=5)
            found = reference.percentile(getattr(scores, variant))
            return found[~np.isnan(found)]

        found = places(clean)
        deciles = np.arange(10, 100, 10)
        shares = np.array([(found < decile).mean() * 100 for decile in deciles])
        prefix = "" if variant == "perplexity" else "bits_"
        row[f"{prefix}calibration_error"] = round(float(np.abs(shares - deciles).mean()), 2)
        row[f"{prefix}calibration_worst"] = round(float(np.abs(shares - deciles).max()), 2)
        row[f"{prefix}shuffled_median"] = round(float(np.median(places([shuffled(text, rng) for text in clean]))), 1)
        row[f"{prefix}other_median"] = round(float(np.median(places(other[:500]))), 1)
        row[f"{prefix}junk_in_tail"] = round(float((places(JUNK) >= 60).mean()), 2)
    return row


def shuffled(text: str, rng: random.Random) -> str:
    """Return a sentence's words in another order; its characters where it has too few words."""
    words = text.split()
    if len(words) >= 4:
        return " ".join(rng.sample(words, len(words)))
    return "".join(rng.sample(text, len(text)))


def speed(arguments: argparse.Namespace) -> None:
    """Time whole documents through both, one process; datatrove is handed the same model files."""
    import kenlm
    import sentencepiece
    from datatrove.utils.perplexity import KenlmModel, SentencePiece

    folder = Path(arguments.bundle)
    held = bundle.load(folder)
    texts = [line for line in Path(arguments.text).read_text("utf-8").splitlines() if line.strip()]
    size = sum(len(text.encode()) for text in texts)
    held.scorer.score(texts[:10])
    started = time.process_time()
    mine = held.scorer.score(texts).perplexity
    ours = size / (time.process_time() - started) / 1e6
    theirs = KenlmModel("local", "local")
    theirs._model = kenlm.Model(str(folder / "ngrams.arpa.gz"))
    theirs._tokenizer = SentencePiece("local", "local")
    theirs._tokenizer._model = sentencepiece.SentencePieceProcessor(model_file=str(folder / bundle.PIECES))
    part = texts[: max(1, len(texts) // 5)]
    started = time.process_time()
    found = [theirs.get_perplexity(text) for text in part]
    beside = sum(len(text.encode()) for text in part) / (time.process_time() - started) / 1e6
    alike = int(sum(abs(a - b) <= 0.051 + 1e-4 * b for a, b in zip(mine, found, strict=False)))
    print(json.dumps({
        "bytes": size, "ours_MB_per_s": round(ours, 2), "datatrove_MB_per_s": round(beside, 2),
        "ratio": round(ours / beside, 1), "same_score": alike, "of": len(part),
    }))  # fmt: skip


def long_text(source: Path, megabytes: int) -> Iterator[str]:
    """Yield sentences made of the source's bigrams: any amount of text whose n-grams are mostly new."""
    follow: dict[str, list[str]] = defaultdict(list)
    lines = source.read_text("utf-8").splitlines()
    for line in lines:
        words = line.split()
        for one, two in itertools.pairwise(words):
            follow[one].append(two)
    starts = [line.split()[0] for line in lines if line.strip()]
    rng, size = random.Random(6), 0
    while size < megabytes * 1_000_000:
        words = [rng.choice(starts)]
        while len(words) < 30 and words[-1] in follow:
            words.append(rng.choice(follow[words[-1]]))
        line = " ".join(words)
        size += len(line.encode()) + 1
        yield line


def train_long(arguments: argparse.Namespace) -> None:
    texts = list(long_text(Path(arguments.text), arguments.megabytes))
    shutil.rmtree(arguments.out, ignore_errors=True)
    started, cpu = time.monotonic(), time.process_time()
    manifest = train(texts, arguments.out, "fra_Latn", training=Training(prune=(0, 0, 1)))
    print(json.dumps({
        "megabytes": arguments.megabytes, "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "tokens": manifest["corpus"]["tokens"], "ngrams": manifest["ngrams"],
    }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("calibrate", "speed", "train"))
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", default="bundles")
    parser.add_argument("--bundle")
    parser.add_argument("--languages", type=int, default=28)
    parser.add_argument("--megabytes", type=int, default=100)
    arguments = parser.parse_args()
    {"calibrate": calibrate, "speed": speed, "train": train_long}[arguments.what](arguments)


if __name__ == "__main__":
    main()
