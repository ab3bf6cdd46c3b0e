"""Language identification beside lid.176.ftz: held-out sentences, documents, short strings, web pages, speed.

Run: python benchmarks/langid.py [--data ../shared/data] [--model default] [--leave-one-out]
"""

from __future__ import annotations

import sys
from pathlib import Path

# benchmarks/tokenize.py would shadow the standard library's module of that name.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

import argparse  # noqa: E402
import csv  # noqa: E402
import gzip  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections import Counter, defaultdict  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from dataclasses import replace  # noqa: E402

import pyarrow as pa  # noqa: E402

from tamis import errors  # noqa: E402
from tamis.langid import codes  # noqa: E402
from tamis.langid import model as models  # noqa: E402
from tamis.langid.corpora import gather, read_recipe  # noqa: E402
from tamis.langid.evaluate import SURE, Figures  # noqa: E402
from tamis.langid.groups import groups  # noqa: E402
from tamis.langid.identifier import Identifier  # noqa: E402
from tamis.langid.train import is_held_out, read_lines, train  # noqa: E402

Answer = Callable[[Sequence[str]], list[str]]
Row = tuple[str, str, str]  # language (ISO 639-3), text, source


def ours(model: str, *, sure: bool = True) -> Answer:
    identifier = Identifier(model, doubt=SURE if sure else None)
    return lambda texts: [
        codes.language_of(code) for code in identifier.identify(pa.array(texts, pa.large_string())).field(0).to_pylist()
    ]


def fasttext_itself(path: Path) -> Answer:
    """What people do today: the whole text on one line, the best label, nothing else."""
    model = models.load(path)
    return lambda texts: [
        codes.language_of(model.codes[found[0][1]][0]) if found else "und" for found in model.predict(texts)
    ]


def figures(answer: Answer, rows: Sequence[Row]) -> Figures:
    said = answer([text for _, text, _ in rows])
    return Figures(Counter((source, true, one) for (true, _, source), one in zip(rows, said, strict=True)))


def both_know(model: str, lid176: Path) -> set[str]:
    known = [{codes.language_of(code) for code in models.load(models.find(path)).languages} for path in (model, lid176)]
    # lid.176 writes one Chinese, and has no label of its own for some languages that it lumps with others.
    return known[0] & known[1]


def held_out(files: Sequence[Path], model: str) -> list[Row]:
    share = read_recipe().training.held_out
    known = models.load(models.find(model)).languages
    lines, _ = read_lines(files)
    return [
        (codes.language_of(line.code), line.text, line.source)
        for line in lines
        if line.code in known and is_held_out(line.text, share)
    ]


def sentences(rows: Sequence[Row], model: str, lid176: Path) -> None:
    shared = both_know(model, lid176)
    rows = [row for row in rows if row[0] in shared]
    mine, theirs = figures(ours(model), rows), figures(fasttext_itself(lid176), rows)
    print(f"Held-out sentences, macro-F1 over the {len(shared)} languages both know (10 lines at least)")
    print(f"  {'source':16}{'lines':>8}{'languages':>11}{'tamis':>9}{'lid.176':>9}{'gain':>8}")
    for source in [*mine.sources(), None]:
        used = Counter(true for true, _, where in rows if source in (where, None))
        enough = {code for code, count in used.items() if count >= 10}
        a, b = (found.macro_f1(source, enough) for found in (mine, theirs))
        lines = sum(used.values())
        print(f"  {source or 'all':16}{lines:8}{len(enough):11}{a:9.3f}{b:9.3f}{a - b:+8.3f}")
    confusion(figures(ours(model), rows))


def confusion(found: Figures) -> None:
    print("\nConfusable groups: true (down) by said (across), last column any other answer")
    for group, members in groups().items():
        names = list(dict.fromkeys(codes.language_of(code) for code in members))
        table = found.confusions(names)
        if sum(map(sum, table)) and len(names) > 1:
            print(f"  {group:10}" + "".join(f"{name:>6}" for name in [*names, "…"]))
            for name, row in zip(names, table, strict=True):
                print(f"  {name:>10}" + "".join(f"{count:6}" for count in row))


def documents(rows: Sequence[Row], model: str, lid176: Path) -> None:
    joined: dict[tuple[str, str], list[str]] = defaultdict(list)
    made: list[Row] = []
    for language, text, source in rows:
        parts = joined[language, source]
        parts.append(text)
        if sum(map(len, parts)) >= 200:
            made.append((language, "\n".join(parts), source))
            parts.clear()
    shared = both_know(model, lid176)
    for name, chosen in (("all languages", made), ("both know", [row for row in made if row[0] in shared])):
        mine, theirs = figures(ours(model, sure=False), chosen), figures(fasttext_itself(lid176), chosen)
        right = [sum(n for (_, t, s), n in f.counts.items() if t == s) / len(chosen) for f in (mine, theirs)]
        print(
            f"  {name}: {len(chosen)} documents of 200+ characters, accuracy tamis {right[0]:.4f},"
            f" lid.176 {right[1]:.4f}; macro-F1 {mine.macro_f1(least=3):.4f}, {theirs.macro_f1(least=3):.4f}"
        )


def short(rows: Sequence[Row], model: str) -> None:
    chosen = [row for row in rows if len(row[1]) <= 20]
    said = ours(model, sure=False)([text for _, text, _ in chosen])
    answered = [(true, one) for (true, _, _), one in zip(chosen, said, strict=True) if one not in ("und", "zxx")]
    right = sum(true == one for true, one in answered)
    print(
        f"  {len(chosen)} strings of at most 20 characters: {len(answered)} answered,"
        f" precision {right / len(answered):.4f}"
    )


def pages(data: Path, model: str, lid176: Path) -> None:
    rows = [*web_text(data)]
    for name, answer in (("tamis", ours(model, sure=False)), ("lid.176", fasttext_itself(lid176))):
        said = answer([text for _, text, _ in rows])
        right: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for (true, _, source), one in zip(rows, said, strict=True):
            right[source] += true == one
            total[source] += 1
        line = ", ".join(f"{source} {right[source]}/{total[source]}" for source in sorted(total))
        print(f"  {name:8} {sum(right.values()) / len(rows):.4f}  {line}")


def web_text(data: Path) -> list[Row]:
    """Pages whose language is known: by name, else by what the gold text's own identification says."""
    rows = []
    for path in sorted((data / "extraction").glob("*/gold.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).decode("utf-8").strip().split("\n"):
            page = json.loads(line)
            gold = page["gold"]
            text = gold.get("main_content") or gold.get("articleBody") or "\n".join(gold.get("with", []))
            language = page.get("language_name") or page.get("lid_of_gold")
            if text and language and language != "und":
                true = codes.language_of(codes.resolve(language))
                rows.append((true, re.sub(r"<[^>]+>", "\n", text), path.parent.name))
    return rows + html_raw(data)


def html_raw(data: Path) -> list[Row]:
    """Raw crawled pages that say their own language in `<html lang>`, their text by resiliparse."""
    from resiliparse.extract.html2text import extract_plain_text

    rows = []
    for path in sorted((data / "html-raw").glob("*/*.html.gz")):
        html = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        stated = re.search(r"<html[^>]*\blang=[\"']?([A-Za-z-]{2,10})", html)
        text = extract_plain_text(html, main_content=True)
        if not stated or len(text) < 200:
            continue
        try:
            rows.append((codes.language_of(codes.resolve(stated[1])), text, "html-raw"))
        except errors.UnknownNameError:
            continue
    return rows


def flores(data: Path, model: str, lid176: Path) -> None:
    with gzip.open(data / "text/flores200-7langs/devtest.tsv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = [(codes.language_of(row["lang"]), row["text"], "flores") for row in csv.DictReader(file, delimiter="\t")]
    mine, theirs = figures(ours(model), rows), figures(fasttext_itself(lid176), rows)
    among = {row[0] for row in rows}
    a, b = mine.macro_f1(among=among), theirs.macro_f1(among=among)
    print(f"  FLORES-200, 7 languages, {len(rows)} lines: macro-F1 tamis {a:.4f}, lid.176 {b:.4f}")


def speed(data: Path, model: str, lid176: Path) -> None:
    texts = [text for _, text, source in web_text(data) if len(text) > 3000 and source != "html-raw"]
    texts = [(texts[i % len(texts)] * 3).encode()[:8192].decode("utf-8", "ignore") for i in range(4000)]
    array = pa.array(texts, pa.large_string())
    identifier = Identifier(model)
    identifier.identify(array[:50])

    def rate(work: Callable[[], object], count: int) -> float:
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            work()
            best = min(best, time.process_time() - start)
        return count / best

    few = texts[:400]

    def cold() -> None:
        # What is remembered of tokens from one round must not help the next: texts repeat here, on the web words do.
        if quantized := models.load(models.find(model)).quantized:
            quantized.forget()
        identifier.identify(array)

    mine = rate(cold, len(texts))
    whole = rate(lambda: models.load(lid176).predict(few), len(few))
    same = rate(lambda: models.load(models.find(model)).predict(few), len(few))
    print(f"  8 kB documents a second, one core: tamis {mine:,.0f}; fastText on whole texts: lid.176 {whole:,.0f}, ")
    print(f"  this model {same:,.0f}; ratio to lid.176 {mine / whole:.1f}")


def leave_one_out(files: Sequence[Path], lid176: Path, folder: Path, threads: int) -> None:
    """Each source in turn is left out of training and tested on: text of a kind the model never saw."""
    recipe = read_recipe()
    print("\nLeave one source out, macro-F1 over the languages both know (10 lines at least)")
    for source in ("tatoeba", "udhr", "common-voice", "bible"):
        training = replace(recipe.training, without=(source,), fit=replace(recipe.training.fit, threads=threads))
        out = folder / f"without-{source}.ftz"
        train(files, out, training=training)
        shared, known = both_know(str(out), lid176), models.load(out).languages
        lines, _ = read_lines([path for path in files if path.stem == source])
        rows = [(codes.language_of(line.code), line.text, source) for line in lines if line.code in known]
        rows = [row for row in rows if row[0] in shared]
        used = {code for code, count in Counter(row[0] for row in rows).items() if count >= 10}
        a, b = (figures(one, rows).macro_f1(among=used) for one in (ours(str(out)), fasttext_itself(lid176)))
        print(
            f"  without {source:14}{len(rows):8} lines {len(used):4} languages: tamis {a:.3f}, lid.176 {b:.3f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data")
    parser.add_argument("--model", default="default")
    parser.add_argument("--leave-one-out", action="store_true", help="train four more models: some minutes each")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    lid176 = options.data / "models" / "lid.176.ftz"
    with tempfile.TemporaryDirectory() as name:
        files = gather(read_recipe(), options.data / "text", Path(name))
        rows = held_out(files, options.model)
        sentences(rows, options.model, lid176)
        print("\nDocuments and short strings")
        documents(rows, options.model, lid176)
        short(rows, options.model)
        flores(options.data, options.model, lid176)
        print("\nWeb pages whose language is known, accuracy")
        pages(options.data, options.model, lid176)
        print("\nSpeed")
        speed(options.data, options.model, lid176)
        if options.leave_one_out:
            leave_one_out(files, lid176, Path(name), options.threads)


if __name__ == "__main__":
    main()
