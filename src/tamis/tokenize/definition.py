"""A `tokenizer.json` as data: read and checked, its special tokens known, a copy made that no page can trick."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tamis.errors import ModelError, nearest
from tamis.tokenize.ranks import from_ranks
from tamis.tokenize.sentencepiece import from_model

# Special tokens by the names they go under, best first; only tokens the file itself declares are ever used.
END_NAMES = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "<|end|>", "<|im_end|>")
BEGIN_NAMES = ("<|begin_of_text|>", "<s>", "<bos>", "<|bos|>", "<|startoftext|>")


@dataclass(frozen=True, slots=True)
class Definition:
    """What a tokenizer file says. `checksum` is the sha256 of its bytes."""

    path: Path
    checksum: str
    data: dict[str, Any]
    special: dict[str, int]  # special tokens by content
    size: int  # largest id + 1, added tokens included
    begin: str | None  # content of the token that starts a document, where there is one
    end: str | None


def read(path: Path) -> Definition:
    """Read a `tokenizer.json`, a SentencePiece `.model` or a `.tiktoken` file; the suffix says which.

    Raises ModelError where it is missing, damaged or something else.
    """
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read the tokenizer {path}: {error.strerror}.", "Give a tokenizer.json.") from error
    try:
        data = _parsed(path, payload)
        ids = _ids(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        hint = "It should be a Hugging Face tokenizer.json, a SentencePiece .model or a .tiktoken file; fetch it again."
        raise ModelError(f"{path} is not a tokenizer file: {type(error).__name__}: {error}.", hint) from error
    added = {token["content"]: int(token["id"]) for token in data.get("added_tokens") or () if token.get("special")}
    begin, end = _template(data, added)
    begin = begin or _configured(path, "bos_token", added) or _named(BEGIN_NAMES, added)
    end = end or _configured(path, "eos_token", added) or _named(END_NAMES, added)
    return Definition(path, hashlib.sha256(payload).hexdigest(), data, added, max(ids) + 1, begin, end)


def _parsed(path: Path, payload: bytes) -> dict[str, Any]:
    if path.suffix == ".model":
        return from_model(payload)
    if path.suffix == ".tiktoken":
        return from_ranks(path, payload)
    data: dict[str, Any] = json.loads(payload)
    return data


def pieces(data: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the model's own vocabulary as (content, id), added tokens aside."""
    vocab = data["model"]["vocab"]
    if isinstance(vocab, dict):
        return [(content, int(number)) for content, number in vocab.items()]
    return [(entry[0], number) for number, entry in enumerate(vocab)]  # Unigram: [content, score], the id is the place


def special_id(definition: Definition, content: str) -> int:
    """Return the id of a special token. Raises ModelError with the nearest name where the file declares none such."""
    if content not in definition.special:
        hint = nearest(content, definition.special) if definition.special else "The file declares no special tokens."
        raise ModelError(f"{definition.path} has no special token {content!r}.", hint)
    return definition.special[content]


def neutral(definition: Definition) -> str:
    """Return the definition as JSON with special tokens renamed to what no page says: their text in a page is text.

    They keep their places, for the library numbers added tokens as they come. Added tokens that are not special (runs
    of spaces, say) stay as they are: they are how ordinary text is encoded.
    """
    data = dict(definition.data)
    names = {content: f"\ufdd0{definition.checksum}:{number}\ufdd1" for content, number in definition.special.items()}
    added = data.get("added_tokens") or ()
    data["added_tokens"] = [token | {"content": names.get(token["content"], token["content"])} for token in added]
    data["post_processor"] = data["truncation"] = data["padding"] = None
    # The unknown token must stay where the model looks for it; both names change together.
    model = dict(data["model"])
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {names.get(content, content): number for content, number in vocab.items()}
    else:
        model["vocab"] = [[names.get(entry[0], entry[0]), *entry[1:]] for entry in vocab]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    data["model"] = model
    return json.dumps(data, ensure_ascii=False)


def _ids(data: dict[str, Any]) -> list[int]:
    ids = [number for _, number in pieces(data)] + [int(token["id"]) for token in data.get("added_tokens") or ()]
    if not ids or min(ids) < 0:
        raise ValueError("the vocabulary is empty or holds negative ids")
    return ids


def _template(data: dict[str, Any], special: dict[str, int]) -> tuple[str | None, str | None]:
    """Return the tokens a post-processor puts around one sequence."""
    before: list[str] = []
    after: list[str] = []
    for processor in _processors(data.get("post_processor")):
        side = before
        for part in processor.get("single") or ():
            if "Sequence" in part:
                side = after
            elif "SpecialToken" in part:
                side.append(part["SpecialToken"]["id"])
    found = [next((name for name in side if name in special), None) for side in (before, after)]
    return found[0], found[1]


def _processors(processor: dict[str, Any] | None) -> list[dict[str, Any]]:
    if not processor:
        return []
    inner = processor.get("processors") if processor.get("type") == "Sequence" else [processor]
    return [part for part in inner or () if part.get("type") == "TemplateProcessing"]


def _configured(path: Path, key: str, special: dict[str, int]) -> str | None:
    """Return the token `tokenizer_config.json` or `special_tokens_map.json` beside the file names for `key`."""
    for sibling in ("tokenizer_config.json", "special_tokens_map.json"):
        try:
            value = json.loads(path.with_name(sibling).read_bytes()).get(key)
        except (OSError, ValueError, AttributeError):
            continue
        content = value.get("content") if isinstance(value, dict) else value
        if content in special:
            return str(content)
    return None


def _named(names: tuple[str, ...], special: dict[str, int]) -> str | None:
    return next((name for name in names if name in special), None)
