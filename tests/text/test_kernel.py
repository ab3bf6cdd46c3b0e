from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CALLER = """
import sys
sys.path.insert(0, {root!r})
from pack.outer import outer
print(outer(1.0))
"""


def answer(root: Path, inner: str) -> str:
    (root / "pack" / "inner.py").write_text(
        f"from tamis.text.kernel import kernel\n\n\n@kernel\ndef inner(x):\n    return x + {inner}\n"
    )
    return subprocess.check_output([sys.executable, "-c", CALLER.format(root=str(root))], text=True).strip()


def test_a_kernel_is_compiled_anew_when_one_it_calls_was_changed_in_another_file(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "outer.py").write_text(
        "from pack.inner import inner\nfrom tamis.text.kernel import kernel\n\n\n"
        "@kernel\ndef outer(x):\n    return inner(x) * 2\n"
    )
    assert answer(tmp_path, "1") == "4.0"
    assert answer(tmp_path, "1") == "4.0"
    assert answer(tmp_path, "2") == "6.0"
