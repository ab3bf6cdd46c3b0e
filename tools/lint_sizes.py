"""Check the house's measures: modules of at most 400 lines, functions of at most 50, medians of 120 and 8.

A function may be longer where splitting it costs measured speed, as in inner loops of kernels, if it says so: `# long:`
and the reason in its header, or a sentence about being long in its docstring.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from pathlib import Path

MODULE_LIMIT, MODULE_MEDIAN = 400, 120
FUNCTION_LIMIT, FUNCTION_MEDIAN = 50, 8


def function_sizes(path: Path) -> list[tuple[str, int, bool]]:
    """Return (place, lines of the body without its docstring, whether excused) of every function in a file."""
    source = path.read_text("utf-8")
    lines = source.splitlines()
    sizes = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            size = (node.end_lineno or 0) - body[0].lineno + 1 if body else 1
            header = "\n".join(lines[node.lineno - 1 : node.body[0].lineno])
            excused = "# long:" in header or re.search(r"\b[Ll]ong(er)?\b", ast.get_docstring(node) or "") is not None
            sizes.append((f"{path}:{node.lineno} {node.name}", size, excused))
    return sizes


def main() -> int:
    """Print what is too large; returns the exit status."""
    modules = {path: len(path.read_text("utf-8").splitlines()) for path in sorted(Path("src").rglob("*.py"))}
    functions = [each for path in modules for each in function_sizes(path)]
    faults = [f"{path}: {size} lines (limit {MODULE_LIMIT})" for path, size in modules.items() if size > MODULE_LIMIT]
    faults += [
        f"{name}: {size} lines (limit {FUNCTION_LIMIT})"
        for name, size, ok in functions
        if size > FUNCTION_LIMIT and not ok
    ]
    medians = (statistics.median(modules.values()), statistics.median(size for _, size, _ in functions))
    if medians[0] > MODULE_MEDIAN or medians[1] > FUNCTION_MEDIAN:
        faults.append(f"medians are {medians[0]} lines a module and {medians[1]} a function")
    print(
        "\n".join(faults)
        or f"{len(modules)} modules, {len(functions)} functions: medians {medians[0]} and {medians[1]}"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
