"""Memory and speed of encoding texts without a space: Thai, Chinese and base64 of 2 to 10 kB, then one 20 MB line.

python benchmarks/sides/spaceless.py [DOCUMENTS]
"""

from __future__ import annotations

import sys
import time

import numpy as np
import psutil
import pyarrow as pa

from tamis.tokenize import load

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ALPHABETS = (range(0xE01, 0xE3A), range(0x4E00, 0x9FA0), [ord(letter) for letter in BASE64])


def main(documents: int) -> None:
    encoder, random, own = load("default"), np.random.default_rng(1), psutil.Process()
    alphabets = [np.array(alphabet, np.uint32) for alphabet in ALPHABETS]
    tenth, speeds, memory = documents // 10, [], []
    for part in range(10):
        seconds = size = 0.0
        for start in range(0, tenth, 200):
            texts = [text(random, alphabets[number % 3]) for number in range(start, min(start + 200, tenth))]
            array = pa.array(texts, pa.large_string())
            begin = time.process_time()
            encoder.encode(array)
            seconds += time.process_time() - begin
            size += array.nbytes
        speeds.append(size / seconds / 1e6)
        memory.append(own.memory_info().rss / 1e6)
        print(f"tenth {part + 1}: {speeds[-1]:.1f} MB/s, {memory[-1]:.0f} MB resident", flush=True)
    slope = (memory[-1] - memory[3]) / (6 * tenth) * 10_000
    print(f"{documents} documents: {slope:+.2f} MB for 10,000; last tenth at {speeds[-1] / speeds[0]:.0%} of the first")
    line = text(random, alphabets[2], 20_000_000)
    begin = time.process_time()
    ids = encoder.encode([line])[0]
    print(f"one line of 20 MB: {time.process_time() - begin:.1f} s, {len(ids)} ids")


def text(random: np.random.Generator, alphabet: np.ndarray, size: int = 0) -> str:
    width = 1 if alphabet[0] < 128 else 3
    size = size or int(random.integers(2000, 10_000))
    return random.choice(alphabet, size // width).astype("<u4").tobytes().decode("utf-32-le")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
