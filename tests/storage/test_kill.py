"""kill -9 before every act of a commit or an erasure: readers see old, new or none, and the next writer mends."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cueflow.schemas.tables import TABLES
from cueflow.storage.erasing.removal import finish_removal
from cueflow.storage.tables import TableStore, read_sessions, scan

_DRIVER = Path(__file__).with_name("commit_and_die.py")


def _killed_at_every_act(base: Path, out: Path, mode: str) -> list[Path]:
    done = subprocess.run(
        [sys.executable, str(_DRIVER), str(base), str(out), mode], capture_output=True, text=True, check=True
    )
    acts, code = map(int, done.stdout.split())
    assert code == 0
    return [out / str(act) for act in range(acts + 1)]


def _seen(root: Path, expected: dict[str, int]) -> str:
    """Which run readers see, having checked that all its rows are there and none of another."""
    if not (root / "sessions").is_dir():
        return "none"
    runs = read_sessions(root)["run_id"].to_list()
    for name in TABLES:
        frame = scan(root, name).collect()
        assert set(frame["run_id"]) <= set(runs), name
        assert frame.height == (expected[name] if runs else 0), (root.name, name)
    return runs[0] if runs else "none"


def _left_over(root: Path) -> list[str]:
    return [p.name for p in root.rglob("*") if p.is_file() and (".tmp" in p.name or p.parent.parent.name == "commits")]


def _open(root: Path) -> None:
    with TableStore(root, "d").writing(root_fingerprint="f", session_ids=["S1"]):
        pass


def test_a_rerun_killed_at_any_act_shows_old_or_new_or_none_and_is_mended(write, counts, tmp_path):
    base = write("S1", "run-a").root
    before, after = [], []
    for root in _killed_at_every_act(base, tmp_path / "killed", "commit"):
        before.append(_seen(root, counts))
        _open(root)
        after.append(_seen(root, counts))
        assert _left_over(root) == []
    assert set(before) == {"run-a", "none", "run-b"}
    assert set(after) == {"run-a", "run-b"}
    assert before == sorted(before, key=["run-a", "none", "run-b"].index), "never back to an older state"
    assert after == sorted(after)
    assert all(a == "run-b" for a, b in zip(after, before, strict=True) if b != "run-a"), "what had begun is finished"


@pytest.mark.slow
def test_a_first_commit_killed_at_any_act_shows_nothing_or_all(counts, tmp_path):
    after = []
    for root in _killed_at_every_act(tmp_path / "not there", tmp_path / "killed", "commit"):
        assert _seen(root, counts) in {"none", "run-b"}
        _open(root)
        after.append(_seen(root, counts))
        assert _left_over(root) == []
    assert after[0] == "none"
    assert after[-1] == "run-b"


def test_an_erasure_killed_at_any_act_is_finished_by_the_next_writer(write, counts, tmp_path):
    base = write("S1", "run-a").root
    write("S2", "run-a", subject="P002")
    states = set()
    for root in _killed_at_every_act(base, tmp_path / "killed", "forget"):
        rows = {name: scan(root, name).filter(session_id="S1").collect().height for name in TABLES}
        assert rows in (counts, dict.fromkeys(TABLES, 0))
        assert read_sessions(root).filter(session_id="S2").height == 1
        finish_removal(root)
        left = [p for p in root.rglob("*") if "S1" in p.name]
        states.add(bool(left))
        assert not left or rows == counts  # killed before the order was written: nothing has begun
    assert states == {True, False}


@pytest.mark.slow
def test_killed_at_any_time_from_outside(write, counts, tmp_path):
    root = write("S1", "run-a").root
    program = (
        f"import sys; sys.path.insert(0, {str(_DRIVER.parent)!r})\n"
        "import commit_and_die, time\nfrom pathlib import Path\nprint('go', flush=True)\n"
        f"while True: commit_and_die._commit(Path({str(root)!r}))\n"
    )
    rng = random.Random(7)  # noqa: S311 - moments to kill at
    for _ in range(12):
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "go\n"
        time.sleep(rng.uniform(0.02, 0.6))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert _seen(root, counts) in {"run-a", "none", "run-b"}
        _open(root)
        assert _seen(root, counts) in {"run-a", "run-b"}
        assert _left_over(root) == []
        write("S1", "run-a")
