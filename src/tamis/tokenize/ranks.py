"""Read tiktoken files: ranks of byte strings become the vocabulary and merges of a `tokenizer.json`.

A token's rank is its id. tiktoken merges whatever pair makes the token of least rank, so every way to split a token in
two is a merge, and a pre-token that is a token stays whole (`ignore_merges`).
"""

from __future__ import annotations

import base64
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from tamis.errors import ModelError
from tamis.tokenize.split import _CL100K, _GPT2, _O200K

_PATTERNS = {"gpt2": _GPT2, "cl100k": _CL100K.replace("DIGITS", "{1,3}"), "o200k": _O200K.replace("DIGITS", "{1,3}")}


def byte_letters() -> dict[str, int]:
    """Return the byte that each letter of byte-level vocabularies stands for (GPT-2, encoder.py, bytes_to_unicode)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


def from_ranks(path: Path, payload: bytes) -> dict[str, Any]:
    """Return the definition of a tiktoken file as `tokenizer.json` has it.

    Raises ModelError where `tiktoken.toml` has no encoding for the file's name, ValueError for a damaged file.
    """
    table = tomllib.loads((files("tamis.tokenize") / "data" / "tiktoken.toml").read_text("utf-8"))["encoding"]
    known = next((entry for entry in table if entry["name"] in path.name), None)
    if known is None:
        names = ", ".join(entry["name"] for entry in table)
        raise ModelError(
            f"{path.name} does not say how it splits text.", f"Name it after its encoding, one of: {names}."
        )
    ranks = _ranks(payload)
    letters = {byte: letter for letter, byte in byte_letters().items()}
    spelt = {token: "".join(letters[byte] for byte in token) for token in ranks}
    merges = [
        [spelt[left], spelt[right]]
        for token in sorted(ranks, key=ranks.__getitem__)
        for left, right in sorted(_splits(token, ranks), key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    ]
    split = {"type": "Split", "pattern": {"Regex": _PATTERNS[known["pattern"]]}, "behavior": "Isolated"}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "added_tokens": [special("<|endoftext|>", known["end_of_text"])],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split | {"invert": False}, byte_level]},
        "post_processor": None,
        "decoder": byte_level | {"add_prefix_space": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "ignore_merges": True,
            "vocab": {spelt[token]: rank for token, rank in ranks.items()},
            "merges": merges,
        },
    }


def special(content: str, number: int, *, is_special: bool = True) -> dict[str, Any]:
    """Return an added token as `tokenizer.json` has it."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": content, "special": is_special} | flags


def _ranks(payload: bytes) -> dict[bytes, int]:
    pairs = [line.split() for line in payload.splitlines() if line.strip()]
    decoded = ((base64.b64decode(token), int(rank)) for token, rank in pairs)
    ranks = {token: rank for token, rank in decoded if token}  # Whisper's file ends with an empty token
    if not ranks:
        raise ValueError("no tokens")
    return ranks


def _splits(token: bytes, ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    pairs = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
    return [pair for pair in pairs if pair[0] in ranks and pair[1] in ranks]
