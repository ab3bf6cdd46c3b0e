"""Text that is no language, for training: program code, markup and noise, made from a seed."""

from __future__ import annotations

import base64
import random
import string
import sysconfig
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from tamis.langid import codes


def nonsense(seed: int, lines: int) -> list[tuple[str, str]]:
    """Return `lines` pairs of code and line for each class of `codes.NOT_LANGUAGES`, the same for the same seed.

    Program code comes from templates and from this Python's standard library, so the lines of that half are the same
    for the same Python version only.
    """
    random_ = random.Random(seed)
    library = _library(random_, lines // 2)
    pairs = [("zxx_Code", line) for line in library]
    pairs += [("zxx_Code", _filled(random_, _tables()["code"])) for _ in range(lines - len(library))]
    pairs += [("zxx_Tags", _filled(random_, _tables()["markup"])) for _ in range(lines)]
    pairs += [("zxx_Junk", _noise(random_)) for _ in range(lines)]
    assert {code for code, _ in pairs} <= set(codes.NOT_LANGUAGES)
    return pairs


def _library(random_: random.Random, lines: int) -> list[str]:
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    found: list[str] = []
    for path in files:
        source = path.read_text(encoding="utf-8", errors="replace")
        # Docstrings and comments are English prose, which must stay English.
        body = [line.strip() for line in source.split("\n") if any(mark in line for mark in ("=", "(", "["))]
        body = [line for line in body if len(line) > 25 and not line.startswith(("#", '"', "'")) and ". " not in line]
        found += [" ".join(body[start : start + 3]) for start in range(0, len(body) - 3, 3)]
    random_.shuffle(found)
    return found[:lines]


def _identifier(random_: random.Random) -> str:
    words = [str(random_.choice(_tables()["words"])) for _ in range(random_.choice((1, 1, 2, 2, 3)))]
    style = random_.randrange(4)
    if style == 0:
        return "_".join(words)
    if style == 1:
        return words[0] + "".join(word.title() for word in words[1:])
    return "-".join(words) if style == 2 else random_.choice(string.ascii_lowercase)


def _filled(random_: random.Random, templates: list[str]) -> str:
    parts = []
    for _ in range(random_.randint(1, 4)):
        names = {key: _identifier(random_) for key in "abcd"}
        parts.append(random_.choice(templates).format_map(names))
    return " ".join(parts)


def _noise(random_: random.Random) -> str:
    kind = random_.randrange(6)
    if kind == 0:
        return base64.b64encode(random_.randbytes(random_.randint(30, 150))).decode()
    if kind == 1:
        return " ".join(random_.randbytes(random_.randint(4, 20)).hex() for _ in range(random_.randint(1, 5)))
    if kind == 2:
        return " ".join(_mash(random_, string.ascii_letters) for _ in range(random_.randint(3, 20)))
    if kind == 3:
        return " ".join(_mash(random_, "asdfghjkl;qwertyuiop") for _ in range(random_.randint(2, 12)))
    if kind == 4:
        return " ".join(f"{_mash(random_, string.ascii_uppercase)}-{random_.choice('XSLM')} € / kg" for _ in range(8))
    letter = random_.choice(string.ascii_letters)
    return " ".join(letter * random_.randint(1, 12) for _ in range(random_.randint(2, 20)))


def _mash(random_: random.Random, alphabet: str) -> str:
    return "".join(random_.choices(alphabet, k=random_.randint(1, 10)))


@cache
def _tables() -> dict[str, Any]:
    text = files("tamis.langid").joinpath("data", "nonsense.toml").read_text(encoding="utf-8")
    return tomllib.loads(text) | {"words": tomllib.loads(text)["words"].split()}
