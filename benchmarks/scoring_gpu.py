"""Scoring on a card: how much of its matrix rate reaches real tokens, beside the libraries people score with today.

    python benchmarks/scoring_gpu.py --out rows.json      # on a CUDA device: the whole table, in some eight minutes
    python benchmarks/scoring_gpu.py --tiny --device cpu  # a smoke test of every part, without figures worth anything

Without CUDA it says so and ends with status 0. Models have random weights: speed does not depend on them. Documents are
those of `--documents FILE.parquet` (column `text`), or are made: words by Zipf's law, lengths lognormal as web pages'.
A part that fails prints why and the others go on; rows are printed, and written to `--out`, as they come. It needs
torch, transformers, tokenizers, safetensors, numba and pyarrow; `end` needs all that Tamis needs, and `peers` compares
with sentence-transformers where that is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
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
    repeats: int  # of the documents' shingles, for MinHash
    batch_tokens: int
    times: int  # that anything is measured; the best counts


# BERT base has 12 layers of 768; the language model has 0.5 billion weights.
FULL = Sizes(20_000, 8192, 12, 768, 12, 3072, 30_522, 26, 1024, 16, 4096, 32_000, 6_000, 8, 131_072, 3)
TINY = Sizes(24, 256, 2, 64, 4, 128, 2_000, 2, 64, 4, 128, 2_000, 12, 1, 2_048, 1)


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
    chances = np.cumsum(1 / np.arange(1, len(vocabulary) + 1))
    ranks = np.searchsorted(chances, random.random(lengths.sum()) * chances[-1])
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


def best(work: Callable[[], Any], device: str, times: int) -> float:
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


def matrix_rate(size: int, device: str, dtype: Any, times: int) -> float:
    """Return FLOP/s of a product of two square matrices."""
    import torch

    one, two = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def work() -> None:
        for _ in range(10):
            torch.matmul(one, two)

    return 10 * 2 * size**3 / best(work, device, 2 * times)


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
    """Rows of (what, value, unit, goal), printed as they come, and written with the card's name to a file."""

    card: str
    out: Path | None
    rows: list[tuple[str, float, str, str]]

    def add(self, what: str, value: float, unit: str, goal: str = "") -> float:
        self.rows.append((what, value, unit, goal))
        print(f"| {what:58} | {value:>12,.4g} | {unit:10} | {goal:8} |", flush=True)
        if self.out is not None:
            self.out.write_text(json.dumps({"card": self.card, "rows": self.rows}, ensure_ascii=False, indent=1))
        return value


@dataclass
class Bench:
    """What the parts share: the device, its matrix rate, documents, and models made when they are first wanted."""

    table: Table
    sizes: Sizes
    device: str
    dtype: Any
    folder: Path
    held: pa.LargeStringArray
    rate: float

    @cached_property
    def encoder(self) -> Any:
        """The BERT regressor's options."""
        from tamis.scoring import ScoringOptions

        model = encoder(self.folder / "encoder", self.sizes, self.held.slice(0, 3000))
        return ScoringOptions(str(model), batch_tokens=self.sizes.batch_tokens, device=self.device.partition(":")[0])

    @cached_property
    def causal(self) -> Any:
        """The language model's options."""
        model = language_model(self.folder / "causal", self.sizes, self.held.slice(0, 3000))
        return replace(self.encoder, model=str(model), batch_tokens=self.sizes.batch_tokens // 2)

    @cached_property
    def engine(self) -> Any:
        """The encoder, loaded."""
        return self.load(self.encoder)

    @cached_property
    def speed(self) -> tuple[float, float]:
        """The encoder's windows per second from texts, and the seconds that all documents take."""
        return engine_rows(self, "encoder", self.engine, self.held, encoder_flops)

    @property
    def few(self) -> pa.LargeStringArray:
        """The documents that the language model reads."""
        return self.held.slice(0, self.sizes.lm_documents)

    def load(self, options: Any) -> Any:
        """Return an engine, and say how it attends."""
        from tamis.scoring import attention, load

        engine: Any = load(options, self.device)
        kernel = getattr(attention.kernel(), "__qualname__", "none") if self.device.startswith("cuda") else "per window"
        print(f"{Path(options.model).name}: {'packed' if engine.net.packs else 'PADDED'}, attention by {kernel}")
        return engine


def engine_rows(
    bench: Bench, name: str, engine: Any, held: pa.LargeStringArray, flops: Callable[..., float]
) -> tuple[float, float]:
    """Measure an engine with texts encoded already, then from texts; returns windows per second and seconds."""
    from tamis.scoring import windows

    parts, vocabulary = batches(held), engine.net.vocabulary
    begin = time.perf_counter()
    counts = vocabulary.encode(held).counts
    tokenized = time.perf_counter() - begin
    made = windows.cut(counts, engine._size, engine._stride)
    lengths = made.length + engine._marks
    work = flops(lengths, bench.sizes)

    def run() -> None:
        for _ in engine.stream(iter(parts)):
            pass

    engine.net.vocabulary = Ready(vocabulary, parts)
    try:
        alone = best(run, bench.device, bench.sizes.times)
    finally:
        engine.net.vocabulary = vocabulary
    whole = best(run, bench.device, bench.sizes.times)
    add = bench.table.add
    add(f"{name}: model alone, of the matrix rate", 100 * work / alone / bench.rate, "%", "≥ 50")
    add(f"{name}: from texts, of the matrix rate", 100 * work / whole / bench.rate, "%", "≥ 50")
    add(f"{name}: from texts, real tokens", float(lengths.sum()) / whole, "tokens/s")
    add(f"{name}: tokenizer alone", float(counts.sum()) / tokenized, "tokens/s")
    add(f"{name}: padding", 100 * (1 - engine.tally.tokens / max(1, engine.tally.cost)), "%", "< 10")
    add(f"{name}: batches halved for memory", engine.tally.retries, "")
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


def encoder_part(bench: Bench) -> None:
    """BERT base: how much of the matrix rate it reaches, and whether neighbours change a score."""
    assert bench.speed
    held = bench.held.slice(0, 500)
    together = bench.engine.score(held).scores
    some = range(0, len(held), max(1, len(held) // 50))
    alone = np.array([bench.engine.score(held.slice(row, 1)).scores[0] for row in some])
    apart = float(np.nanmax(np.abs(together[:: some.step] - alone)))
    bench.table.add("greatest difference that neighbours make", apart, "score", "< 1e-3")


def causal_part(bench: Bench) -> None:
    """A language model of half a billion weights."""
    engine = bench.load(bench.causal)
    bench.table.add("causal: weights", sum(each.numel() for each in engine.net.body.model.parameters()), "")
    engine_rows(bench, "causal", engine, bench.few, causal_flops)


def compile_part(bench: Bench) -> None:
    """Both models again, compiled by torch; a compiler that fails leaves them as they are, with a warning."""
    for name, options, held, flops in (
        ("encoder, compiled", bench.encoder, bench.held, encoder_flops),
        ("causal, compiled", bench.causal, bench.few, causal_flops),
    ):
        engine_rows(bench, name, bench.load(replace(options, compile=True)), held, flops)


def peers_part(bench: Bench) -> None:
    """transformers' pipeline and sentence-transformers on the same windows, in batches of 128."""
    ours, folder = bench.speed[0], Path(bench.encoder.model)
    given = windows_as_texts(bench.engine, bench.held.slice(0, len(bench.held) // 4), folder)
    for name, peer in (("transformers pipeline", pipeline), ("sentence-transformers", sentence_encoder)):
        try:
            rate = len(given) / best(peer(bench, folder, given), bench.device, 1)
        except ImportError as error:
            print(f"{name} is not installed ({error}): not compared.")
            continue
        bench.table.add(f"{name}: windows", rate, "1/s")
        bench.table.add(f"ours from texts beside {name}", ours / rate, "times", "≥ 3")


def words_of(folder: Path) -> Any:
    """Return a model's tokenizer as transformers has it."""
    import transformers

    path = str(folder / "tokenizer.json")
    return transformers.PreTrainedTokenizerFast(tokenizer_file=path, pad_token="[PAD]", model_max_length=512)


def pipeline(bench: Bench, folder: Path, given: list[str]) -> Callable[[], Any]:
    """Return what scores texts by transformers' pipeline."""
    import transformers

    load = transformers.AutoModelForSequenceClassification.from_pretrained
    model = load(str(folder), dtype=bench.dtype).to(bench.device).eval()
    pipe = transformers.pipeline("text-classification", model=model, tokenizer=words_of(folder), device=bench.device)
    options = {"truncation": True, "max_length": 512, "padding": True, "function_to_apply": "none"}
    return lambda: pipe(given, batch_size=128, **options)


def sentence_encoder(bench: Bench, folder: Path, given: list[str]) -> Callable[[], Any]:
    """Return what embeds texts by sentence-transformers."""
    import sentence_transformers

    try:
        from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    except ImportError:
        from sentence_transformers.models import Pooling, Transformer
    words_of(folder).save_pretrained(folder)
    body = Transformer(str(folder), max_seq_length=512)
    library = sentence_transformers.SentenceTransformer(
        modules=[body, Pooling(bench.sizes.width)], device=bench.device
    ).to(bench.dtype)
    return lambda: library.encode(given, batch_size=128, show_progress_bar=False)


def end_part(bench: Bench) -> None:
    """From Parquet to Parquet with score columns, by the stage's own code."""
    try:
        from tamis.pipeline import scored
    except ImportError as error:
        print(f"Parquet to score columns needs all of Tamis, and {error.name} is not installed: not measured.")
        return

    source, count = bench.folder / "documents.parquet", len(bench.held)
    table = pa.table({"id": [str(row) for row in range(count)], "text": bench.held})
    pq.write_table(table, source, row_group_size=2048)
    seconds = bench.speed[1]

    def work() -> None:
        report = scored.score(source, bench.folder / "scored.parquet", options=bench.encoder, overwrite=True)
        assert report.kept == count

    whole = best(work, bench.device, bench.sizes.times)
    bench.table.add("Parquet to score columns", count / whole, "docs/s")
    bench.table.add("lost on the way from Parquet to columns", 100 * (1 - seconds / whole), "%", "≤ 15")


def minhash_part(bench: Bench) -> None:
    """MinHash values on the device beside the kernel on one core, every bit compared; then signatures from texts."""
    from tamis.dedup.minhash import minhashes, permutations
    from tamis.dedup.options import DedupOptions
    from tamis.dedup.shingle import shingle_hashes
    from tamis.scoring.device import upload
    from tamis.scoring.minima import SEGMENT, fused, minima, of_pieces, segments

    options, device, times = DedupOptions(), bench.device, bench.sizes.times
    offsets, hashes = shingle_hashes(bench.held, options)
    given = permutations(options.hashes, options.seed)
    add = bench.table.add
    wanted = minhashes(offsets, hashes, options.hashes, options.seed)
    add("MinHash: values that differ", float((minima(offsets, hashes, *given, device) != wanted).sum()), "", "0")
    if device.startswith("cuda"):
        print(f"MinHash by {'a fused kernel' if fused() else 'torch’s own operations'}")
    core = best(lambda: minhashes(offsets, hashes, options.hashes, options.seed), "cpu", times) / len(hashes)

    many = np.concatenate([offsets[:-1] + turn * len(hashes) for turn in range(bench.sizes.repeats)])
    many, shingles = np.append(many, bench.sizes.repeats * len(hashes)), np.tile(hashes, bench.sizes.repeats)
    card = best(lambda: minima(many, shingles, *given, device), device, times) / len(shingles)
    there = [upload(each.view(np.int64), device) for each in (segments(many, SEGMENT)[0], shingles, *given)]
    kernel = best(lambda: of_pieces(*there), device, times) / len(shingles)
    add("MinHash: one core", 1e-6 / core, "M sh/s")
    add("MinHash: device, copies included", 1e-6 / card, "M sh/s")
    add("MinHash: device, shingles there already", 1e-6 / kernel, "M sh/s")
    add("MinHash: device beside one core, copies included", core / card, "times", "≥ 20")
    add("MinHash: device beside one core", core / kernel, "times", "≥ 20")
    signing_rows(bench, options)


def signing_rows(bench: Bench, options: Any) -> None:
    """Measure whole signatures, shingles and all: what the sign step does."""
    import os

    from tamis.dedup.minhash import permutations, sign
    from tamis.scoring.device import use
    from tamis.scoring.minima import minima

    held, megabytes = bench.held, bench.held.nbytes / 1e6

    def values(offsets: Any, hashes: Any, count: int, seed: int) -> Any:
        return minima(offsets, hashes, *permutations(count, seed), bench.device)

    one = best(lambda: sign(held, options), "cpu", bench.sizes.times)
    bench.table.add("signatures from texts: one core", megabytes / one, "MB/s")
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)), "sign", use, (bench.device,)) as threads:
        both = best(lambda: sign(held, options, minhashes=values, each=threads.map), bench.device, bench.sizes.times)
        cores = best(lambda: sign(held, options, each=threads.map), "cpu", bench.sizes.times)
    bench.table.add("signatures from texts: device and all cores", megabytes / both, "MB/s")
    bench.table.add("signatures from texts: all cores alone", megabytes / cores, "MB/s")


# In the order of what is wanted most, should time run out.
PARTS: dict[str, Callable[[Bench], None]] = {
    "encoder": encoder_part,
    "minhash": minhash_part,
    "causal": causal_part,
    "peers": peers_part,
    "end": end_part,
    "compile": compile_part,
}


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="tamis-scoring-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> int:
    """Print the table; returns 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small models and few documents: a smoke test")
    parser.add_argument("--documents", help="a Parquet file with `text`")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, by comma")
    parser.add_argument("--seconds", type=float, default=540, help="no part is begun after so many")
    parser.add_argument("--out", type=Path, help="a JSON file for the rows")
    given = parser.parse_args()
    try:
        import torch
    except ImportError:
        print("torch is not installed: nothing was measured. pip install 'tamis[gpu]'")
        return 0

    if given.device.startswith("cuda") and not torch.cuda.is_available():
        print("There is no CUDA device here: nothing was measured. Try --tiny --device cpu for a smoke test.")
        return 0
    unknown = set(given.only.split(",")) - PARTS.keys()
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with scratch() as folder:
        return measure(given, TINY if given.tiny else FULL, folder)


def measure(given: argparse.Namespace, sizes: Sizes, folder: Path) -> int:
    """Measure the parts asked for; returns 1 where one failed."""
    import torch
    import transformers

    began = time.perf_counter()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    device, cuda = given.device, given.device.startswith("cuda")
    if not cuda:
        torch.set_num_threads(1)
    dtype = torch.bfloat16 if cuda else torch.float32
    card = torch.cuda.get_device_name() if cuda else "CPU, tiny" if given.tiny else "CPU"
    card += f"; torch {torch.__version__}; transformers {transformers.__version__}; {time.strftime('%Y-%m-%d')}"
    print(card)
    table = Table(card, given.out, [])
    rate = table.add(f"matrix product, {dtype}", matrix_rate(sizes.matrix, device, dtype, sizes.times), "FLOP/s")
    bench = Bench(table, sizes, device, dtype, folder, texts(sizes.documents, given.documents), rate)
    failed = []
    for name in given.only.split(","):
        elapsed = time.perf_counter() - began
        if elapsed > given.seconds:
            print(f"{name}: left out after {elapsed:.0f} s; --only {name} measures it alone.")
            continue
        print(f"-- {name}, after {elapsed:.0f} s")
        try:
            PARTS[name](bench)
        except Exception:
            print(f"{name} FAILED:\n{traceback.format_exc()}", flush=True)
            failed.append(name)
        if cuda:
            torch.cuda.empty_cache()
    table.add(f"matrix product, {dtype}, at the end", matrix_rate(sizes.matrix, device, dtype, sizes.times), "FLOP/s")
    print(f"failed: {', '.join(failed) or 'none'}; {time.perf_counter() - began:.0f} s in all")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
