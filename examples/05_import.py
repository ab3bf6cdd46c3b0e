"""Filters of your own in a recipe: `import = ["./own_signals.py"]` registers them, and tables use them by name.

    python examples/05_import.py [OUTPUT]

A package can register chains for every recipe with the entry-point group `tamis.filters`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tamis import run
from tamis.demo import pack

RECIPE = """
import = ["{module}"]

[[filters]]
chain = "calm"

[[filters]]
keep     = "first_line_chars"
at_least = 10
"""


def main(output: str = "demo-out") -> None:
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = folder / "mine.toml"
    recipe.write_text(RECIPE.format(module=Path(__file__).with_name("own_signals.py").as_posix()), "utf-8")
    report = run(pack(folder / "crawl"), folder / "imported", recipe=recipe, executor="inline")
    for step, language, reason, amount in report.ledger.reasons():
        if step in ("calm", "first_line_chars"):
            print(f"{step:18} {language:10} {reason:20} {amount.documents:4} documents")


if __name__ == "__main__":
    main(*sys.argv[1:])
