"""The list of benchmarks names every script, and no other."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_every_benchmark_is_listed():
    listed = set(re.findall(r"`(\w+\.py)`", (FOLDER / "README.md").read_text()))
    assert listed == {path.name for path in FOLDER.glob("*.py")}
