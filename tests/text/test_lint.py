"""No predicate that knows only English stands in code that judges or measures text."""

from __future__ import annotations

import importlib.util
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "lint_text.py"


def load():
    spec = importlib.util.spec_from_file_location("lint_text", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_code_is_clean() -> None:
    assert load().main() == 0


def test_the_lint_finds_what_it_forbids(tmp_path: Path) -> None:
    bad = ["c.isalpha()", r"re.findall(r'\w+', text)", "string.punctuation", "re.split('[.!?]', text)", "text.split()"]
    path = tmp_path / "bad.py"
    path.write_text("\n".join([*bad, "text.split()  # lint: variant", "text.split(',')"]))
    assert len(load().faults(path)) == len(bad)
