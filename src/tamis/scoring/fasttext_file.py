"""fastText classifiers as files: read without copying, and written so that fastText itself reads them.

The format of fastText 0.9.2, `FastText::saveModel`, version 12. The matrix of a DCLM-style classifier takes a gigabyte:
it is mapped from the file, and workers on one machine share it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tamis.errors import ModelError

MAGIC, VERSION = 793712314, 12
SOFTMAX, SUPERVISED = 3, 3
_ARGS = "<12i"
END = "</s>"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class FastText:
    """A classifier that is not quantized.

    words, labels: in the order of their rows; labels without the prefix. buckets: rows for hashed n-grams after those
    of the words. word_ngrams: words in the longest n-gram; minn, maxn: characters in those inside words, 0 for none.
    rows: float32 of shape (words + buckets, width); output: float32 of shape (labels, width).
    """

    words: tuple[str, ...]
    labels: tuple[str, ...]
    buckets: int
    word_ngrams: int
    minn: int
    maxn: int
    rows: Floats
    output: Floats


def read(path: Path) -> FastText:
    """Return the classifier in a file, its matrix mapped. Raises ModelError for any other kind of file."""
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except (OSError, ValueError, struct.error) as error:
        raise ModelError(
            f"{path} is no fastText classifier: {error}.", "Give a .bin file of a supervised model."
        ) from error


def _read(file: BinaryIO, path: Path) -> FastText:
    magic, version = _numbers(file, "<2i")
    if (magic, version) != (MAGIC, VERSION):
        raise ValueError("it does not begin as one")
    width, _, _, _, _, word_ngrams, loss, model, buckets, minn, maxn, _ = _numbers(file, _ARGS)
    _numbers(file, "<d")
    if (loss, model) != (SOFTMAX, SUPERVISED):
        raise ValueError("it was not trained with supervised softmax")
    names, word_count = _dictionary(file)
    if _numbers(file, "<?")[0]:
        raise ValueError("it is quantized; give the .bin file, not the .ftz")
    rows = _matrix(file, path)
    _numbers(file, "<?")
    output = _matrix(file, path)
    if rows.shape != (word_count + buckets, width) or output.shape != (len(names) - word_count, width):
        raise ValueError("its matrices have other shapes than its dictionary")
    labels = tuple(name.removeprefix("__label__") for name in names[word_count:])
    return FastText(tuple(names[:word_count]), labels, buckets, word_ngrams, minn, maxn, rows, np.array(output))


def _numbers(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _dictionary(file: BinaryIO) -> tuple[list[str], int]:
    size, words, _ = _numbers(file, "<3i")
    _, pruned = _numbers(file, "<2q")
    if size < 0 or words < 0 or pruned >= 0:
        raise ValueError("its dictionary is pruned or damaged")
    names = []
    held = b""
    for _ in range(size):
        while b"\0" not in held or len(held) - held.index(b"\0") < 10:
            more = file.read(1 << 16)
            if not more:
                raise ValueError("its dictionary ends early")
            held += more
        end = held.index(b"\0")
        names.append(held[:end].decode("utf-8", "replace"))
        held = held[end + 10 :]
    file.seek(-len(held), 1)
    return names, words


def _matrix(file: BinaryIO, path: Path) -> Floats:
    rows, columns = _numbers(file, "<2q")
    start = file.tell()
    file.seek(4 * rows * columns, 1)
    if file.tell() > path.stat().st_size:
        raise ValueError("its matrix ends early")
    return np.asarray(np.memmap(path, np.float32, "r", start, (rows, columns)))


def write(model: FastText, path: Path, counts: npt.NDArray[np.int64], epochs: int, rate: float) -> None:
    """Write a classifier as fastText would; `counts` says how often each word and then each label was seen."""
    words, labels = len(model.words), len(model.labels)
    width = model.rows.shape[1]
    args = (width, 5, epochs, 1, 5, model.word_ngrams, SOFTMAX, SUPERVISED, model.buckets, model.minn, model.maxn, 100)
    with path.open("wb") as file:
        file.write(struct.pack("<2i", MAGIC, VERSION) + struct.pack(_ARGS, *args) + struct.pack("<d", 1e-4))
        file.write(struct.pack("<3i2q", words + labels, words, labels, int(counts[:words].sum()), -1))
        names = [*model.words, *(f"__label__{name}" for name in model.labels)]
        for place, name in enumerate(names):
            file.write(name.encode() + b"\0" + struct.pack("<qb", int(counts[place]), place >= words))
        for matrix in (model.rows, model.output):
            file.write(struct.pack("<?2q", False, *matrix.shape))
            file.write(np.ascontiguousarray(matrix, np.float32).tobytes())
