"""What `benchmarks/tokenize.py` runs: encoding beside five peers, writing shards, reading them.

Two texts: real web pages (main text by resiliparse) and short sentences in several hundred languages, mixed.
Times are CPU seconds of one thread, the best of three, and the first pass apart: then no word is remembered yet.
Ids are compared with those of tokenizers, text by text. Peers that are not installed are left out.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import numpy as np
import pyarrow as pa

from tamis import tokens
from tamis.tokenize import dataset_files, load, write_shard
from tamis.tokenize.encode import Encoder
from tamis.tokenize.ranks import byte_letters


def pages(data: Path) -> Iterator[str]:
    from resiliparse.extract.html2text import extract_plain_text

    for path in sorted(data.glob("extraction/*/html/*.gz")):
        html = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
        text = extract_plain_text(html, main_content=True)
        if len(text) > 300:
            yield text


def sentences(data: Path) -> Iterator[str]:
    by_language: dict[str, list[str]] = {}
    for name in ("common-voice/sentences", "udhr/udhr", "bible-corpus/verses", "tatoeba-laser/tatoeba"):
        for line in gzip.decompress((data / f"text/{name}.tsv.gz").read_bytes()).decode().splitlines()[1:]:
            fields = line.rstrip("\n").split("\t")
            by_language.setdefault(f"{name} {fields[0]}", []).append(fields[-1])
    for start in range(0, 600, 30):
        for lines in by_language.values():
            if start < len(lines):
                yield "\n".join(lines[start : start + 30])


def bounded(texts: Iterator[str], limit: int) -> list[str]:
    taken, size = [], 0
    for text in texts:
        size += len(text.encode())
        taken.append(text)
        if size >= limit:
            break
    return taken


def timed(work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


def with_tiktoken(encoder: Encoder) -> Callable[[list[str]], list[list[int]]] | None:
    """Return tiktoken on the same vocabulary; it merges by token id, so its ids may differ."""
    if not importlib.util.find_spec("tiktoken"):
        return None
    import tiktoken

    data = encoder._definition.data
    split = next((step for step in data["pre_tokenizer"].get("pretokenizers", []) if step["type"] == "Split"), None)
    if split is None:
        return None
    letters, special = byte_letters(), encoder.special_ids
    ranks = {
        bytes(letters[letter] for letter in content): number
        for content, number in data["model"]["vocab"].items()
        if content not in special
    }
    made = tiktoken.Encoding("same", pat_str=split["pattern"]["Regex"], mergeable_ranks=ranks, special_tokens={})
    return lambda texts: [made.encode_ordinary(text) for text in texts]


def others(encoder: Encoder) -> Iterator[tuple[str, Callable[[list[str]], list[list[int]]]]]:
    """Yield the peers that load the same file."""
    if importlib.util.find_spec("kitoken"):
        from kitoken import Kitoken

        kitoken = Kitoken.from_tokenizers_file(str(encoder.path))
        yield "kitoken", lambda texts: [kitoken.encode(text, False) for text in texts]
    if importlib.util.find_spec("tokie"):
        import tokie

        made = tokie.Tokenizer.from_json(str(encoder.path))
        yield "tokie", lambda texts: [made.encode(text, add_special_tokens=False).ids for text in texts]


def with_datatrove(encoder: Encoder, texts: list[str]) -> Callable[[], object] | None:
    if not importlib.util.find_spec("datatrove"):
        return None
    from datatrove.data import Document
    from datatrove.pipeline.tokens import TokensCounter

    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    block = TokensCounter(str(encoder.path))
    return lambda: [document.metadata["token_count"] for document in block.run(iter(documents))]


def compare(title: str, texts: list[str], encoder: Encoder) -> None:
    array, size = pa.array(texts, pa.large_string()), sum(len(text.encode()) for text in texts) / 1e6
    print(
        f"\n{title}: {len(texts)} texts, {size:.1f} MB, tokenizer {encoder.path.parent.name}, engine {encoder.engine}"
    )
    base, right = timed(lambda: encoder.encode_by_reference(array), 1)
    total = len(right.flatten())

    def show(name: str, seconds: float, same: object) -> None:
        print(f"  {name:28}{size / seconds:8.1f} MB/s {base / seconds:7.1f} x tokenizers   {same}")

    show("tokenizers, batch", base, f"{total} tokens")
    fresh = Encoder(encoder._definition)
    seconds, ours = timed(lambda: fresh.encode(array), 1)
    show("tamis encode, first pass", seconds, differing(ours, right))
    seconds, ours = timed(lambda: encoder.encode(array))
    show("tamis encode", seconds, differing(ours, right))
    seconds, counts = timed(lambda: encoder.count(array))
    show("tamis count", seconds, f"{sum(counts.to_pylist())} tokens")
    if theirs := with_tiktoken(encoder):
        seconds, found = timed(lambda: theirs(texts), 1)
        show("tiktoken", seconds, differing(pa.array(found, ours.type), right))
    for name, theirs in others(encoder):
        seconds, found = timed(lambda: theirs(texts))  # noqa: B023
        show(name, seconds, differing(pa.array(found, ours.type), right))
    if block := with_datatrove(encoder, texts):
        seconds, found = timed(block, 1)
        show("datatrove TokensCounter", seconds, f"{sum(found)} tokens")


def differing(found: pa.LargeListArray, right: pa.LargeListArray) -> str:
    count = sum(not mine.equals(other) for mine, other in zip(found, right, strict=True))
    return "ids identical" if count == 0 else f"{count} texts differ"


def shards(texts: list[str], encoder: Encoder) -> None:
    size = sum(len(text.encode()) for text in texts) / 1e6
    columns = {"id": [str(number) for number in range(len(texts))], "language": ["und"] * len(texts), "text": texts}
    batch = pa.record_batch({name: pa.array(values, pa.large_string()) for name, values in columns.items()})
    seconds, sink = timed(lambda: written(batch, encoder))
    print(
        f"\nencode and write Arrow: {size / seconds:.1f} MB/s of text, {sink.getbuffer().nbytes / 1e6:.1f} MB written"
    )
    with TemporaryDirectory() as folder:
        summary = write_shard(io.BytesIO(), iter([batch]), encoder)
        names = [f"{number:05d}.arrow" for number in range(20)]
        for name in names:
            Path(folder, name).write_bytes(sink.getvalue())
        for name, content in dataset_files("und", [(name, summary) for name in names], encoder).items():
            Path(folder, name).write_bytes(content)
        data = tokens.open(folder)
        seconds, read = timed(lambda: sum(document.input_ids.nbytes for document in data))
        print(f"sequential read, documents handed over: {read / seconds / 1e6:.0f} MB/s of ids")
        seconds, read = timed(lambda: sum(touched(document.input_ids) for document in data))
        print(f"sequential read, documents, every id looked at: {read / seconds / 1e6:.0f} MB/s of ids")
        seconds, read = timed(lambda: sum(touched(block.input_ids) for block in data.blocks()))
        print(f"sequential read, blocks, every id looked at: {read / seconds / 1e6:.0f} MB/s of ids")


def touched(ids: np.ndarray) -> int:
    """Return the bytes of ids, having read each."""
    return ids.nbytes + 0 * int(ids.max())


def written(batch: pa.RecordBatch, encoder: Encoder) -> io.BytesIO:
    sink = io.BytesIO()
    write_shard(sink, iter([batch]), encoder)
    return sink


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", nargs="?", default="default")
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared/data")
    parser.add_argument("--megabytes", type=float, default=12)
    options = parser.parse_args()
    if not options.data.is_dir():
        sys.exit(f"{options.data} is absent; name a folder of the same layout with --data.")
    encoder, limit = load(options.tokenizer), int(options.megabytes * 1e6)
    web = bounded(pages(options.data), limit)
    compare("web pages", web, encoder)
    compare("sentences, hundreds of languages", bounded(sentences(options.data), limit), encoder)
    shards(web, encoder)


if __name__ == "__main__":
    main()
