"""Forbid the predicates that know only English in code that judges or measures text.

`.isalpha(`, `\\w`, `string.punctuation`, `[.!?]` and bare `.split()` call Hindi, Thai, Tamil and Chinese words no words
and their sentences no sentences; `tamis.text` has tables for every script instead. A line that must use one, because it
reproduces what another tool does, says `# lint: variant`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("src/tamis/filters", "src/tamis/text")
FORBIDDEN = {
    r"\.isalpha\(": "isalpha is false for words with combining marks; use text.unicode",
    r"\\w": r"\w splits words at combining marks; use text.words",
    r"string\.punctuation|punctuation\s*=\s*['\"]!": "ASCII punctuation; use text.unicode",
    r"\[\.!\?\]|\[\.\?!\]|\[!\.\?\]": "English sentence ends; use text.unicode.TERMINAL",
    r"\.split\(\)": "words are not what stands between spaces; use text.words",
}
# These tell charsets apart, by bytes and by what decoding yields; no document is judged by them.
EXEMPT = {"encoding.py", "plausible.py"}
EXCUSE = "# lint: variant"


def faults(path: Path) -> list[str]:
    """Return one message for each forbidden thing in a file."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        if EXCUSE in line:
            continue
        for pattern, why in FORBIDDEN.items():
            if re.search(pattern, line):
                found.append(f"{path}:{number}: {why}")
    return found


def main() -> int:
    """Print every fault; return 1 if there is one."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if path.name not in EXEMPT]
    found = [fault for path in files for fault in faults(path)]
    print("\n".join(found) or "text lint: clean")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
