"""Commits a session again and again, killed (-9) before its 1st, 2nd, … act on a file, each time on a fresh copy.

Run as a program by test_kill.py: BASE OUT MODE. BASE holds session S1 of run-a; in OUT/<n> the commit of run-b (MODE
`commit`), the erasure of subject P001 (MODE `forget`) or the compaction (MODE `maintain`) was killed before act n. It
prints how many there are.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute  # imported before forking, so that a fork costs milliseconds
import pyarrow.parquet  # noqa: F401

from cueflow.storage.compaction.compact import compact
from cueflow.storage.erasing import removal
from cueflow.storage.tables import TableStore

_ACTS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"})


def _tables() -> dict[str, pa.Table]:
    spec = importlib.util.spec_from_file_location("rows", Path(__file__).with_name("conftest.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tables: dict[str, pa.Table] = module.rows_of("S1", "run-b")
    return tables


_TABLES = _tables()


def _die_before(act: int, root: str) -> None:
    seen = 0

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal seen
        reads = event == "open" and not int(str(args[2])) & (os.O_WRONLY | os.O_RDWR)
        if event in _ACTS and not reads and str(args[0]).startswith(root):
            if seen == act:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(hook)


def _commit(root: Path) -> None:
    store = TableStore(root, "d")
    with store.writing(root_fingerprint="f", session_ids=["S1"]):
        store.commit_session("S1", _TABLES, run_id="run-b")


def _forget(root: Path) -> None:
    removal.remove_sessions(root, {"d": ["S1"]}, subjects=["P001"])


def _maintain(root: Path) -> None:
    compact(root, wait_s=0)


def main() -> None:
    base, out, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    for act in range(500):
        root = out / str(act)
        shutil.copytree(base, root) if base.exists() else root.mkdir(parents=True)
        child = os.fork()
        if child == 0:
            _die_before(act, str(root))
            {"commit": _commit, "forget": _forget, "maintain": _maintain}[mode](root)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(act, os.WEXITSTATUS(status))
            return
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise SystemExit("it never came to an end")


if __name__ == "__main__":
    main()
