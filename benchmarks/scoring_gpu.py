"""Scoring on a card: how much of its matrix rate reaches real tokens, beside the libraries people score with today.

    python benchmarks/scoring_gpu.py                      # on a CUDA device: the whole table
    python benchmarks/scoring_gpu.py --tiny --device cpu  # a smoke test of every part, without figures worth anything

Without CUDA it says so and ends with status 0. Models have random weights: speed does not depend on them. Documents are
those of `--documents FILE.parquet` (column `text`), or are made: words by Zipf's law, lengths lognormal as web pages'.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 512


@dataclass(frozen=True)
class Sizes:
    """How large everything is."""

    documents: int
    matrix: int
    layers: int
    width: int
    heads: int
    inner: int
    words: int
    lm_layers: int
    lm_width: int
    lm_heads: int
    lm_inner: int
    lm_words: int
    lm_documents: int
    hashed: int
    batch_tokens: int


# BERT base has 12 layers of 768; the language model has 0.5 billion weights.
FULL = Sizes(20_000, 8192, 12, 768, 12, 3072, 30_522, 26, 1024, 16, 4096, 32_000, 6_000, 200_000, 131_072)
TINY = Sizes(60, 256, 2, 64, 4, 128, 2_000, 2, 64, 4, 128, 2_000, 30, 500, 2_048)


def texts(count: int, path: str | None) -> pa.LargeStringArray:
    """Return documents: those of a file, repeated if there are too few, or made ones."""
    if path:
        held = pq.read_table(path, columns=["text"])["text"].cast(pa.large_string()).combine_chunks()
        return held.take(pa.array(np.arange(count) % len(held)))
    random = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    shares = np.arange(26, 0, -1) / (26 * 27 / 2)
    vocabulary = np.array(["".join(random.choice(letters, n, p=shares)) for n in random.integers(2, 10, 20_000)])
    lengths = np.clip(random.lognormal(5.9, 1.1, count), 5, 20_000).astype(int)
    ranks = np.minimum(random.zipf(1.15, lengths.sum()), len(vocabulary)) - 1
    words = np.split(vocabulary[ranks], np.cumsum(lengths)[:-1])
    return pa.array([" ".join(each) + "." for each in words], pa.large_string())


def tokenizer(folder: Path, words: int, sample: Iterable[str], *, marks: bool) -> None:
    """Train a WordPiece tokenizer as BERT's, or a byte-level one as language models', and save it."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if marks:
        made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=words, special_tokens=special)
    else:
        made = Tokenizer(models.BPE())
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=words, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
    made.train_from_iterator(sample, trainer)
    if marks:
        pairs = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
        made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=pairs)
    made.save(str(folder / "tokenizer.json"))
    told = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "pad_token": "[PAD]"}
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "mask_token": "[MASK]"} if marks else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(told | names))


def encoder(folder: Path, sizes: Sizes, sample: pa.LargeStringArray) -> Path:
    """Save a BERT regressor with random weights."""
    import torch
    import transformers

    folder.mkdir()
    tokenizer(folder, sizes.words, sample.to_pylist(), marks=True)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=sizes.words, hidden_size=sizes.width, num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads, intermediate_size=sizes.inner, num_labels=1, pad_token_id=0,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def language_model(folder: Path, sizes: Sizes, sample: pa.LargeStringArray) -> Path:
    """Save a Llama with random weights."""
    import torch
    import transformers

    folder.mkdir()
    tokenizer(folder, sizes.lm_words, sample.to_pylist(), marks=False)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=sizes.lm_words, hidden_size=sizes.lm_width, num_hidden_layers=sizes.lm_layers,
        num_attention_heads=sizes.lm_heads, num_key_value_heads=sizes.lm_heads, intermediate_size=sizes.lm_inner,
        max_position_embeddings=2048, bos_token_id=2, eos_token_id=3, pad_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder, max_shard_size="20GB")
    return folder


def waited(device: str) -> None:
    """Wait until the device has nothing left to do."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()


def best(work: Callable[[], Any], device: str, times: int = 3) -> float:
    """Return the least seconds of several runs, after one that does not count."""
    found = []
    for turn in range(times + 1):
        waited(device)
        begin = time.perf_counter()
        work()
        waited(device)
        if turn:
            found.append(time.perf_counter() - begin)
    return min(found)


def matrix_rate(size: int, device: str, dtype: Any) -> float:
    """Return FLOP/s of a product of two square matrices."""
    import torch

    one, two = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def work() -> None:
        for _ in range(10):
            torch.matmul(one, two)

    return 10 * 2 * size**3 / best(work, device, 5)


def encoder_flops(lengths: np.ndarray, sizes: Sizes) -> float:
    """Return the model FLOPs of windows: matrices of every layer and attention; no padding, no head."""
    d, each = sizes.width, 4 * sizes.width**2 + 2 * sizes.width * sizes.inner
    return float(sizes.layers * (2 * each * lengths.sum() + 4 * d * (lengths.astype(float) ** 2).sum()))


def causal_flops(lengths: np.ndarray, sizes: Sizes) -> float:
    """Return the model FLOPs of windows; attention at half, as it looks back alone, and the output layer."""
    d, each = sizes.lm_width, 4 * sizes.lm_width**2 + 3 * sizes.lm_width * sizes.lm_inner
    layers = sizes.lm_layers * (2 * each * lengths.sum() + 2 * d * (lengths.astype(float) ** 2).sum())
    return float(layers + 2 * d * sizes.lm_words * lengths.sum())


class Ready:
    """A vocabulary that has encoded its texts already: what is left is the model's own time."""

    def __init__(self, vocabulary: Any, batches: list[pa.LargeStringArray]) -> None:
        self.before, self.after = vocabulary.before, vocabulary.after
        self._ids = {id(batch): vocabulary.encode(batch) for batch in batches}
        self._order = [self._ids[id(batch)] for batch in batches]
        self._next = 0

    def encode(self, _: pa.LargeStringArray) -> Any:
        self._next += 1
        return self._order[(self._next - 1) % len(self._order)]


def batches(held: pa.LargeStringArray) -> list[pa.LargeStringArray]:
    return [held.slice(start, BATCH_ROWS) for start in range(0, len(held), BATCH_ROWS)]


@dataclass
class Table:
    """Rows of (what, value, unit, goal), printed as they come."""

    rows: list[tuple[str, float, str, str]]

    def add(self, what: str, value: float, unit: str, goal: str = "") -> float:
        self.rows.append((what, value, unit, goal))
        print(f"| {what:58} | {value:>12,.4g} | {unit:10} | {goal:8} |", flush=True)
        return value


def engine_rows(table: Table, name: str, engine: Any, held: pa.LargeStringArray, flops: Callable[..., float],
                sizes: Sizes, rate: float, device: str) -> tuple[float, float]:  # fmt: skip
    """Measure an engine with texts encoded already, then from texts; returns windows per second and MFU from texts."""
    from tamis.scoring import windows

    parts = batches(held)
    counts = engine.net.vocabulary.encode(held).counts
    made = windows.cut(counts, engine._size, engine._stride)
    lengths = made.length + engine._marks
    work = flops(lengths, sizes)
    vocabulary = engine.net.vocabulary

    def run() -> None:
        for _ in engine.stream(iter(parts)):
            pass

    engine.net.vocabulary = Ready(vocabulary, parts)
    alone = best(run, device)
    engine.net.vocabulary = vocabulary
    whole = best(run, device)
    table.add(f"{name}: model alone, of the matrix rate", 100 * work / alone / rate, "%", "≥ 50")
    table.add(f"{name}: from texts, of the matrix rate", 100 * work / whole / rate, "%", "≥ 50")
    table.add(f"{name}: from texts, real tokens", float(lengths.sum()) / whole, "tokens/s")
    table.add(f"{name}: padding", 100 * (1 - engine.tally.tokens / max(1, engine.tally.cost)), "%", "< 10")
    table.add(f"{name}: batches halved for memory", engine.tally.retries, "")
    return len(lengths) / whole, whole


def windows_as_texts(engine: Any, held: pa.LargeStringArray, folder: Path) -> list[str]:
    """Return every window of the documents as a text, so that others score the whole documents too."""
    from tokenizers import Tokenizer

    from tamis.scoring import windows

    ids = engine.net.vocabulary.encode(held)
    made = windows.cut(ids.counts, engine._size, engine._stride)
    starts = ids.offsets[:-1][made.document] + made.start
    made_of = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return made_of.decode_batch([ids.values[s : s + n].tolist() for s, n in zip(starts, made.length, strict=True)])


def peer_rows(table: Table, folder: Path, given: list[str], ours: float, device: str, dtype: Any) -> None:
    """Measure transformers' pipeline and sentence-transformers on the same windows, in batches of 128."""
    import transformers

    words = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(str(folder), dtype=dtype).to(device).eval()
    pipe = transformers.pipeline("text-classification", model=model, tokenizer=words, device=device)

    def piped() -> None:
        pipe(given, batch_size=128, truncation=True, max_length=512, padding=True, function_to_apply="none")

    rate = len(given) / best(piped, device, 1)
    table.add("transformers pipeline: windows", rate, "1/s")
    table.add("ours from texts beside the pipeline", ours / rate, "times", "≥ 3")
    try:
        import sentence_transformers
        from sentence_transformers import models
    except ImportError:
        print("sentence-transformers is not installed: not compared.")
        return
    words.save_pretrained(folder)
    body = models.Transformer(str(folder), max_seq_length=512)
    pooled = models.Pooling(body.get_word_embedding_dimension())
    library = sentence_transformers.SentenceTransformer(modules=[body, pooled], device=device).to(dtype)
    rate = len(given) / best(lambda: library.encode(given, batch_size=128, show_progress_bar=False), device, 1)
    table.add("sentence-transformers: windows", rate, "1/s")
    table.add("ours from texts beside sentence-transformers", ours / rate, "times", "≥ 3")


def end_to_end(
    table: Table, folder: Path, model: Path, held: pa.LargeStringArray, seconds: float, options: Any
) -> None:
    """Measure from Parquet to Parquet with score columns, by the stage's own code."""
    try:
        from tamis.pipeline import scored
    except ImportError as error:
        print(f"Parquet to score columns needs all of Tamis, and {error.name} is not installed: not measured.")
        return

    source = folder / "documents.parquet"
    pq.write_table(pa.table({"id": [str(n) for n in range(len(held))], "text": held}), source, row_group_size=2048)
    chosen = replace(options, model=str(model))
    scored.score(source, folder / "warm.parquet", options=chosen)
    begin = time.perf_counter()
    report = scored.score(source, folder / "scored.parquet", options=chosen)
    whole = time.perf_counter() - begin
    assert report.kept == len(held)
    table.add("Parquet to score columns", len(held) / whole, "docs/s")
    table.add("lost on the way from Parquet to columns", 100 * (1 - seconds / whole), "%", "≤ 15")


def minhash_rows(table: Table, held: pa.LargeStringArray, device: str) -> None:
    """Measure MinHash values on the device beside the kernel on one core, and compare every bit."""
    from tamis.dedup.minhash import minhashes, permutations
    from tamis.dedup.options import DedupOptions
    from tamis.dedup.shingle import shingle_hashes
    from tamis.scoring.device import upload
    from tamis.scoring.minima import SEGMENT, minima, of_pieces, segments

    options = DedupOptions()
    offsets, hashes = shingle_hashes(held, options)
    given = permutations(options.hashes, options.seed)
    wanted = minhashes(offsets, hashes, options.hashes, options.seed)
    table.add(
        "MinHash: signatures that differ", float((minima(offsets, hashes, *given, device) != wanted).sum()), "", "0"
    )
    core = best(lambda: minhashes(offsets, hashes, options.hashes, options.seed), "cpu")
    card = best(lambda: minima(offsets, hashes, *given, device), device)
    bounds, _ = segments(offsets, SEGMENT)
    held_there = [upload(each.view(np.int64), device) for each in (bounds, hashes, *given)]
    kernel = best(lambda: of_pieces(*held_there), device)
    table.add("MinHash: one core", len(hashes) / core / 1e6, "M sh/s")
    table.add("MinHash: device, copies included", len(hashes) / card / 1e6, "M sh/s")
    table.add("MinHash: device, shingles there already", len(hashes) / kernel / 1e6, "M sh/s")
    table.add("MinHash: device beside one core, copies included", core / card, "times", "≥ 20")
    table.add("MinHash: device beside one core", core / kernel, "times", "≥ 20")


def invariance(table: Table, engine: Any, held: pa.LargeStringArray) -> None:
    """Compare scores among neighbours with scores alone."""
    together = engine.score(held).scores
    some = range(0, len(held), max(1, len(held) // 50))
    alone = np.array([engine.score(held.slice(row, 1)).scores[0] for row in some])
    table.add(
        "greatest difference that neighbours make", float(np.nanmax(np.abs(together[:: some.step] - alone))), "score"
    )


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tamis-scoring-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small models and few documents: a smoke test")
    parser.add_argument("--documents", help="a Parquet file with `text`")
    parser.add_argument("--compile", action="store_true", help="let torch compile the models first")
    parser.add_argument("--only", default="encoder,peers,end,causal,minhash", help="parts, by comma")
    given = parser.parse_args()
    import torch

    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print("There is no CUDA device here: nothing was measured. Try --tiny --device cpu for a smoke test.")
        return 0
    parts = set(given.only.split(","))
    with scratch() as folder:
        measure(given, parts, TINY if given.tiny else FULL, folder)
    return 0


def measure(given: argparse.Namespace, parts: set[str], sizes: Sizes, folder: Path) -> None:
    """Measure the parts asked for."""
    import torch
    import transformers

    from tamis.scoring import ScoringOptions, load

    transformers.logging.set_verbosity_error()
    device, cuda = given.device, given.device.startswith("cuda")
    dtype = torch.bfloat16 if cuda else torch.float32
    table = Table([])
    card = torch.cuda.get_device_name() if cuda else "CPU"
    print(f"{card}; torch {torch.__version__}; transformers {transformers.__version__}; {time.strftime('%Y-%m-%d')}")
    rate = table.add(f"matrix product, {dtype}", matrix_rate(sizes.matrix, device, dtype), "FLOP/s")
    held = texts(sizes.documents, given.documents)
    sample = held.slice(0, 3000)
    model = encoder(folder / "encoder", sizes, sample)
    options = ScoringOptions(
        str(model), batch_tokens=sizes.batch_tokens, compile=given.compile, device="cuda" if cuda else "cpu"
    )
    if parts & {"encoder", "peers", "end"}:
        engine: Any = load(options, device)
        table.add("encoder: packed without padding (1: yes)", float(engine.net.packs), "", "1")
        speed, seconds = engine_rows(table, "encoder", engine, held, encoder_flops, sizes, rate, device)
        invariance(table, engine, held.slice(0, 500))
        if "end" in parts:
            end_to_end(table, folder, model, held, seconds, options)
        if "peers" in parts:
            few = held.slice(0, len(held) // 4)
            peer_rows(table, model, windows_as_texts(engine, few, model), speed, device, dtype)
        del engine
    if "causal" in parts:
        lm = language_model(folder / "causal", sizes, sample)
        engine = load(replace(options, model=str(lm), batch_tokens=sizes.batch_tokens // 2), device)
        table.add("causal: weights", sum(p.numel() for p in engine.net._body.model.parameters()), "")
        few = held.slice(0, sizes.lm_documents)
        engine_rows(table, "causal", engine, few, causal_flops, sizes, rate, device)
        del engine
    if "minhash" in parts:
        minhash_rows(table, texts(min(sizes.hashed, len(held)), given.documents), device)
    print(json.dumps({"card": card, "rows": table.rows}))


if __name__ == "__main__":
    sys.exit(main())
