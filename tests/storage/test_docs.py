"""The examples of docs/tables.md run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cueflow.storage.compaction.compact import compact

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tables.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def folder(write, tmp_path) -> Path:
    """A folder with TABLES of two sessions, and the command `cueflow`."""
    for session in ("S1", "S2"):
        write(session, "run-a", root=tmp_path / "TABLES")
    command = tmp_path / "bin" / "cueflow"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m cueflow "$@"\n')
    command.chmod(0o755)
    return tmp_path


def _run(folder: Path, *command: str) -> str:
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_polars_and_pandas(folder):
    pytest.importorskip("pandas", reason="pandas is not installed")
    [code] = _blocks("python")
    said = _run(
        folder, sys.executable, "-c", code + "\nprint(len(frame), wide.height, len(beats), type(frame).__module__)"
    )
    assert said.split() == ["12", "2", "6", "pandas.core.frame"]


def test_r_by_the_command(folder):
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("no R here")
    said = _run(folder, program, "-e", _blocks("r")[0] + "\ncat(nrow(rmssd), nrow(wide), sum(rmssd$value) > 0)")
    assert said.split() == ["12", "2", "TRUE"]


@pytest.mark.parametrize("compacted", [False, True])
def test_what_r_reads_by_arrow(folder, compacted):
    """R's package arrow is this library; here it reads what the page's second example reads."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    root = folder / "TABLES"
    if compacted:
        compact(root)
    counts = ds.dataset(root / "sessions", partitioning="hive").to_table(["dataset", "session_id", "run_id"])
    wanted = (pc.field("biomarker") == "hrv_rmssd") & (pc.field("status") == "ok")
    rmssd = ds.dataset(root / "biomarkers", partitioning="hive").to_table(filter=wanted)
    keys = ["dataset", "session_id", "run_id"]
    assert rmssd.join(counts, keys, join_type="left semi").num_rows == 12
    assert "arrow" in _blocks("r")[1]


def test_sql_on_the_command_line(folder):
    for line in _blocks("sh")[0].splitlines():
        if line.startswith("cueflow query TABLES"):
            _run(folder, "sh", "-c", line)
    assert (folder / "wide.parquet").stat().st_size > 0
    said = _run(folder, "cueflow", "query", "TABLES", "FROM sessions", "--verify", "--memory", "1GB", "--format", "csv")
    assert said.count("\n") == 3


def test_verify_refuses_to_answer_from_a_damaged_file(folder):
    path = folder / "TABLES" / "events" / "dataset=d" / "session=S1" / "part.parquet"
    raw = bytearray(path.read_bytes())
    raw[40] ^= 1
    path.write_bytes(bytes(raw))
    asked = (sys.executable, "-m", "cueflow", "query", "TABLES", "SELECT count(*) FROM sessions")
    for more, code in (((), 0), (("--verify",), 2)):
        done = subprocess.run([*asked, *more], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    assert "1 files are damaged or missing" in done.stderr + done.stdout
