"""Perplexity: calibration in many languages, scoring beside datatrove's CCNet block, and training at size.

    python benchmarks/perplexity.py calibrate --text shared/data/text --out bundles/
    python benchmarks/perplexity.py speed --bundle bundles/fra_Latn.lm --text FILE
    python benchmarks/perplexity.py train --megabytes 100 --text shared/data/text --out big.lm [--memory 0.5]

Each prints JSON, one object a line. Texts are sentences of Common Voice (CC0), Tatoeba (CC BY) and FLORES (CC BY-SA),
and verses (CC0), a document a line.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import itertools
import json
import random
import resource
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tamis.errors import UnknownNameError
from tamis.langid.codes import resolve
from tamis.perplexity import bundle
from tamis.perplexity.training import Training, train

# Where each language's sentences are: (source, its code there), in twenty scripts.
VOICE, TATOEBA, BIBLE, FLORES = (
    "common-voice/sentences",
    "tatoeba-laser/tatoeba",
    "bible-corpus/verses",
    "flores200-7langs/devtest",
)
SOURCES = {
    code: [(VOICE, locale)]
    for locale, code in {
        "fr": "fra_Latn", "vi": "vie_Latn", "tr": "tur_Latn", "fi": "fin_Latn", "sv-SE": "swe_Latn", "rw": "kin_Latn",
        "pl": "pol_Latn", "uk": "ukr_Cyrl", "tt": "tat_Cyrl", "mn": "khk_Cyrl", "el": "ell_Grek", "fa": "fas_Arab",
        "ug": "uig_Arab", "ur": "urd_Arab", "hi": "hin_Deva", "ta": "tam_Taml", "pa-IN": "pan_Guru", "or": "ory_Orya",
        "ja": "jpn_Jpan", "zh-CN": "cmn_Hans", "zh-TW": "cmn_Hant", "dv": "div_Thaa", "as": "asm_Beng",
        "ml": "mal_Mlym",
    }.items()
} | {
    "kat_Geor": [(VOICE, "ka"), (TATOEBA, "kat")], "kor_Hang": [(VOICE, "ko"), (TATOEBA, "kor")],
    "hye_Armn": [(BIBLE, "arm"), (TATOEBA, "hye")], "guj_Gujr": [(BIBLE, "guj"), (FLORES, "guj_Gujr")],
    "chr_Cher": [(BIBLE, "chr")], "cop_Copt": [(BIBLE, "cop")], "syc_Syrc": [(BIBLE, "syr")],
    "oji_Cans": [(BIBLE, "oji")],
}  # fmt: skip
# A document of the benchmark is lines one after another up to so many pieces: a page of two or three paragraphs.
LENGTH = 512
SPLITS = 5


def corpus(folder: Path) -> dict[tuple[str, str], list[str]]:
    """Return the sentences by source and code there, each once."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for source in (VOICE, TATOEBA, BIBLE, FLORES):
        with gzip.open(folder / f"{source}.tsv.gz", "rt", encoding="utf-8") as file:
            next(file)
            for line in file:
                code, *_, text = line.rstrip("\n").split("\t")
                if text.strip():
                    found[source, code].append(text)
    return {key: list(dict.fromkeys(texts)) for key, texts in found.items()}


def languages_of(found: dict[tuple[str, str], list[str]]) -> dict[str, list[str]]:
    """Return 300 lines of every language of the corpus that has as many, whether it has a bundle here or not."""
    named = {place: code for code, places in SOURCES.items() for place in places}
    lines: dict[str, list[str]] = defaultdict(list)
    for key, texts in found.items():
        try:
            lines[named.get(key) or resolve(key[1])] += texts
        except UnknownNameError:
            lines[key[1]] += texts
    return {name: each[:300] for name, each in sorted(lines.items()) if len(each) >= 300}


def calibrate(arguments: argparse.Namespace) -> None:
    found = corpus(Path(arguments.text))
    texts = {code: [text for each in places for text in found.get(each, [])] for code, places in SOURCES.items()}
    strangers = languages_of(found)
    chosen = arguments.only.split(",") if arguments.only else list(SOURCES)[: arguments.languages]
    rows = []
    for code in chosen:
        rows.append(calibrated(code, texts[code], strangers, arguments))
        print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    print(json.dumps({
        "languages": len(rows), "scripts": len({row["language"][4:] for row in rows}), "strangers": len(strangers),
        "calibration_error_at_most_3": sum(row["calibration_error"] <= 3 for row in rows),
        "shuffled_above_p95": sum(row["shuffled_median"] > 95 for row in rows),
        "other_above_p99": sum(row["other_median"] > 99 for row in rows),
        "junk_in_tail": sum(row["junk_in_tail"] > 0.5 for row in rows),
        "boilerplate_in_tail": sum(row["boilerplate_in_tail"] > 0.5 for row in rows),
    }))  # fmt: skip


def calibrated(
    code: str, texts: list[str], strangers: dict[str, list[str]], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Train on seven tenths, of which training holds out a share itself, and ask of the rest; SPLITS times over.

    Shares of clean text are of all splits, since those of one have an error of two points from its 900 lines alone.
    """
    lines, documents, length = [], [], arguments.length
    for split in range(SPLITS):
        rng = random.Random(split)
        mine = rng.sample(texts, len(texts))
        cut = len(mine) * 7 // 10
        held, seconds = trained(code, mine[:cut], arguments, split)
        lines.append(places(held, mine[cut:]))
        documents.append(places(held, joined(held, mine[cut:], length)))
        if split == 0:
            first, clean, cpu = held, mine[cut:], seconds
    own = places(first, joined(first, [shuffled(text, rng) for text in clean], length))
    others = {name: places(first, joined(first, part, length)) for name, part in strangers.items() if name != code}
    nearest = min((float(np.median(found)), name) for name, found in others.items() if len(found))
    junk, boilerplate = (
        np.concatenate([places(first, joined(first, lines, length)) for lines in kinds])
        for kinds in (machine_junk(), page_boilerplate(clean))
    )
    return {
        "language": code, "train_cpu_seconds": round(cpu, 1), "lines": len(texts), "clean": len(clean),
        "calibration_error": calibration(lines), "calibration_error_documents": calibration(documents),
        "shuffled_median": round(float(np.median(own)), 1), "shuffled_above_p95": round(float((own > 95).mean()), 2),
        "other_median": round(nearest[0], 1), "nearest": nearest[1],
        "other_above_p99": round(float(np.mean([(found > 99).mean() for found in others.values()])), 3),
        "other_documents_below": sorted(n for n, found in others.items() if (found > 99).mean() < 0.95),
        "junk_in_tail": round(float((junk >= 60).mean()), 2),
        "boilerplate_in_tail": round(float((boilerplate >= 60).mean()), 2),
    }  # fmt: skip


def trained(code: str, texts: list[str], arguments: argparse.Namespace, split: int) -> tuple[bundle.Bundle, float]:
    folder = Path(arguments.out) / (f"{code}.lm" if split == 0 else f"{code}-{split}.lm")
    shutil.rmtree(folder, ignore_errors=True)
    started = time.process_time()
    training = Training(prune=(0,), hold_out=0.3, pieces=arguments.pieces)
    train(texts, folder, code, training=training, licence="see the corpus")
    return bundle.load(folder), time.process_time() - started


def places(held: bundle.Bundle, texts: list[str]) -> np.ndarray:
    found = held.percentile(held.scorer.score(texts, min_tokens=5))
    return found[~np.isnan(found)]


def joined(held: bundle.Bundle, lines: list[str], length: int) -> list[str]:
    """Return documents of so many pieces or more, of lines one after another."""
    found, part, size = [], [], 0
    for line, tokens in zip(lines, held.scorer.score(lines).tokens.tolist(), strict=True):
        part.append(line)
        size += tokens
        if size >= length:
            found.append("\n".join(part))
            part, size = [], 0
    return found


def calibration(splits: list[np.ndarray]) -> float:
    """Return how far the shares of clean text below the nine deciles are from what they should be, in points."""
    deciles = np.arange(10, 100, 10)
    shares = np.mean([[(found < decile).mean() * 100 for decile in deciles] for found in splits], axis=0)
    return round(float(np.abs(shares - deciles).mean()), 2)


def machine_junk() -> Iterator[list[str]]:
    """Yield kinds of what machines write into pages, each as many lines."""
    rng = random.Random(6)
    keys = ["asdf", "qwer", "zxcv", "jkl;", "fghj", "tyui", "bnm,"]
    yield [" ".join(f"{rng.getrandbits(32):08x}" for _ in range(8)) for _ in range(300)]
    yield [f'<div class="c{n}"><a href="/p.php?id={n}&amp;s={n % 7}">{n}</a></div>' for n in range(300)]
    yield [
        f"2021-03-{n % 28 + 1:02d} 12:{n % 60:02d} INFO [worker-{n}] GET /api/v1/{n} 200 {n * 7}ms" for n in range(300)
    ]
    yield [f"function f{n}(a,b){{var x=a[{n}]||{{}};return b?x.y:null;}}" for n in range(300)]
    yield ["\t".join(f"{rng.random():.3f}" for _ in range(8)) for _ in range(300)]
    yield [base64.b64encode(rng.randbytes(45)).decode() for _ in range(300)]
    yield [" ".join(rng.choices(keys, k=8)) for _ in range(300)]
    yield [rng.choice(["=-", "~*", "###", "\ufffd", "•"]) * rng.randrange(10, 40) for _ in range(300)]


def page_boilerplate(lines: list[str]) -> Iterator[list[str]]:
    """Yield what surrounds text on pages, made of the language's own words: menus, tag clouds, stuffing, tables."""
    rng = random.Random(6)
    words = sorted({word.strip(".,!?;:\"'") for line in lines for word in line.split()} - {""})
    yield ["Home | About | Contact | Login | Register | Cart (0) | FAQ | Sitemap | © 2019 All rights reserved"] * 60
    yield [" | ".join(rng.choice(words).capitalize() for _ in range(9)) for _ in range(300)]
    yield [", ".join(words[n : n + 10]) for n in range(0, len(words), 10)]
    yield [" ".join([*rng.choices(words, k=4)] * 4) for _ in range(300)]
    yield [f"{rng.choice(words)} (12) » {rng.choice(words)} [+] {n}.{n % 12 + 1}.2019 # {n * 13}" for n in range(300)]


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
    theirs = KenlmModel("local", "local")
    theirs._model = kenlm.Model(str(folder / "ngrams.arpa.gz"))
    theirs._tokenizer = SentencePiece("local", "local")
    theirs._tokenizer._model = sentencepiece.SentencePieceProcessor(model_file=str(folder / bundle.PIECES))
    mine, beside = held.scorer.score(texts).perplexity, [theirs.get_perplexity(text) for text in texts]
    times: dict[str, list[float]] = {"ours": [], "datatrove": []}
    for _ in range(arguments.rounds):  # in turn, because what else the machine does changes by the second
        times["ours"].append(timed(lambda: held.scorer.score(texts)))
        times["datatrove"].append(timed(lambda: [theirs.get_perplexity(text) for text in texts]))
    size = sum(len(text.encode()) for text in texts)
    alike = int(sum(abs(a - b) <= 0.051 + 1e-4 * b for a, b in zip(mine, beside, strict=True)))
    best = {name: size / min(found) / 1e6 for name, found in times.items()}
    print(json.dumps({
        "bytes": size, "rounds": arguments.rounds, "ours_MB_per_s": round(best["ours"], 2),
        "datatrove_MB_per_s": round(best["datatrove"], 2), "ratio": round(best["ours"] / best["datatrove"], 1),
        "same_score": alike, "of": len(texts),
    }))  # fmt: skip


def timed(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def long_text(source: Path, megabytes: int) -> Iterator[str]:
    """Yield sentences made of the source's bigrams, every fifth word drawn anew: any amount of text, with more n-grams
    of its own than real text of that size has."""
    follow: dict[str, list[str]] = defaultdict(list)
    lines = [line.split() for texts in corpus(source).values() for line in texts]
    for line in lines:
        for one, two in itertools.pairwise(line):
            follow[one].append(two)
    words = [word for line in lines for word in line]
    rng, size = random.Random(6), 0
    while size < megabytes * 1_000_000:
        made = [rng.choice(words)]
        for _ in range(rng.randrange(8, 40)):
            next_words = follow.get(made[-1])
            made.append(rng.choice(next_words) if next_words and rng.random() < 0.8 else rng.choice(words))
        line = " ".join(made)
        size += len(line.encode()) + 1
        yield line


def train_long(arguments: argparse.Namespace) -> None:
    """Train on made text of all languages of the corpus, and say what is needed; `--memory` bounds the counting."""
    text = Path(arguments.out + ".txt")
    if not text.exists():
        text.write_text("\n".join(long_text(Path(arguments.text), arguments.megabytes)), "utf-8")
    shutil.rmtree(arguments.out, ignore_errors=True)
    started, cpu = time.monotonic(), time.process_time()
    memory = int(arguments.memory * 2**30)
    texts = (line.rstrip("\n") for line in text.open(encoding="utf-8"))
    manifest = train(texts, arguments.out, "und_Latn", memory=memory, estimator=arguments.estimator)
    print(json.dumps({
        "bytes": text.stat().st_size, "memory_for_counting_GB": arguments.memory,
        "seconds": round(time.monotonic() - started, 1), "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "pieces": manifest["training"]["pieces"], "tokens": manifest["corpus"]["tokens"], "ngrams": manifest["ngrams"],
        "bundle_MB": round(sum(part["bytes"] for part in manifest["parts"].values()) / 1e6),
        "checksum": manifest["checksum"][:12],
    }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("calibrate", "speed", "train"))
    parser.add_argument("--text", required=True)
    parser.add_argument("--out", default="bundles")
    parser.add_argument("--bundle")
    parser.add_argument("--languages", type=int, default=99)
    parser.add_argument("--only", help="languages, with commas")
    parser.add_argument("--pieces", type=int, help="of the SentencePiece models; as many as suit the text")
    parser.add_argument("--length", type=int, default=LENGTH, help="pieces of a document")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--memory", type=float, default=4, help="GB for counting")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--estimator", default="tamis")
    arguments = parser.parse_args()
    {"calibrate": calibrate, "speed": speed, "train": train_long}[arguments.what](arguments)


if __name__ == "__main__":
    main()
