"""What happens to the tables when things go wrong: killed writers, two at once, a full disk, damage, hostile names.

python benchmarks/tables_robust.py [kills [N] | two | full | corrupt [N] | hostile]   # default: all, 200 kills
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet  # noqa: F401 - imported before forking, so that a fork costs milliseconds
from measure import heading

from cueflow.flows.showing.pages import write_pages
from cueflow.schemas.errors import CueflowError, DiskFullError, QueryError, TablesError
from cueflow.schemas.tables import SCHEMA_VERSION, TABLES, arrow_schema, layout
from cueflow.storage.compaction.compact import compact
from cueflow.storage.erasing.erasure import forget
from cueflow.storage.reading.queries import open_tables, query
from cueflow.storage.reading.verify import verify_tables
from cueflow.storage.tables import TableStore

_COUNTS = {"sessions": 1, "biomarkers": 40, "windows": 30, "events": 20, "predictions": 1, "explanations": 5}
_SESSIONS = [f"S{k:02d}" for k in range(12)]
HOSTILE = (
    "../x", "..", "/etc/passwd", "'; DROP TABLE sessions; --", "a' OR '1'='1", "<script>alert(1)</script>", "🙂 emoji",
    "a/b", "a%2Fb", "CON", "x" * 120, "ä ö", "tab\tid", '"quoted"', "*?[x]", "$HOME `id`", "session=1",
)  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Run one part, or all."""
    parts: dict[str, Callable[[int], None]] = {
        "kills": kills, "two": two, "full": full, "corrupt": corrupt, "hostile": hostile,
    }  # fmt: skip
    chosen = arguments[0] if arguments else ""
    n = int(arguments[1]) if len(arguments) > 1 else 200
    print(heading("Tables when things go wrong"))
    for name, part in parts.items():
        if chosen in {"", name}:
            part(n)


def kills(n: int) -> None:
    """Kill the writer or the compaction at random moments while two readers check every row they see."""
    with tempfile.TemporaryDirectory() as scratch:
        root, log = Path(scratch) / "tables", Path(scratch) / "log"
        _write(root, _SESSIONS, "run-0", log)
        readers = [_fork(lambda k=k: _read_for_ever(root, Path(scratch) / f"reader{k}")) for k in range(2)]
        rng, lost, hidden = random.Random(7), 0, 0  # noqa: S311 - moments to kill at
        for k in range(n):
            work = (
                (lambda k=k: _write(root, _SESSIONS, f"run-{k + 1}", log)) if k % 2 else (lambda: _compact_often(root))
            )
            child = _fork(work)
            time.sleep(rng.uniform(0.01, 0.4))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            hidden += len(_SESSIONS) - _visible(root)
            with TableStore(root, "d").writing(root_fingerprint="f", session_ids=_SESSIONS):
                lost += len(_SESSIONS) - _visible(root) + _older_than_told(root, log)
        for reader in readers:
            os.kill(reader, signal.SIGTERM)
            os.waitpid(reader, 0)
        looks = [json.loads((Path(scratch) / f"reader{k}").read_text()) for k in range(2)]
        print(
            f"kills: {n} ({n // 2} of the writer, {n - n // 2} of compaction); "
            f"readers looked {sum(r['looks'] for r in looks)} times, partial sessions seen "
            f"{sum(r['partial'] for r in looks)}, errors {sum(r['errors'] for r in looks)}; "
            f"hidden until the next writer {hidden}, lost {lost}\n"
        )


def two(_: int) -> None:
    """Two writers at once: one waits its turn, nothing is mixed."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "tables"
        _write(root, _SESSIONS, "run-0", None)
        children = [_fork(lambda k=k: _insist(root, f"run-{k}", Path(scratch) / f"w{k}")) for k in (1, 2)]
        for child in children:
            os.waitpid(child, 0)
        told = [json.loads((Path(scratch) / f"w{k}").read_text()) for k in (1, 2)]
        partial = _partial(root)
        print(
            f"two writers at once: written {[t['written'] for t in told]} times, "
            f"refused {[t['refused'] for t in told]} times, "
            f"partial sessions {partial}, sessions {_visible(root)} of {len(_SESSIONS)}\n"
        )


def full(_: int) -> None:
    """No space: what was there stays, and the next write goes on."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "tables"
        _write(root, _SESSIONS, "run-0", None)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        refused = partial = 0
        for size in (0, 100, 1000, 4000, 8000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
            try:
                _write(root, _SESSIONS[:3], "run-1", None)
            except DiskFullError:
                refused += 1
            except TablesError:
                refused += 1
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            partial += _partial(root)
        left = len(list(root.rglob("*.tmp")))
        _write(root, _SESSIONS, "run-2", None)
        print(
            f"disk full: refused {refused} of 5, partial sessions {partial}, left over {left} files, "
            f"sessions after it {_visible(root)}\n"
        )


def corrupt(n: int) -> None:
    """Flip a bit in a file, or lose it: `check --tables` names the sessions, and writing them again mends it."""
    rng = random.Random(3)  # noqa: S311 - places to damage
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "tables"
        _write(root, _SESSIONS, "run-0", None)
        for where, mend in (("part.parquet", lambda: None), ("bucket=*.parquet", lambda: compact(root))):
            mend()
            for said, damage in (("one bit flipped in", _flip), ("lost", lambda path, _: path.unlink())):
                named = unmended = 0
                for _ in range(n):
                    path = rng.choice(sorted(root.rglob(where)))
                    damage(path, rng)
                    damaged = verify_tables(root)[1]
                    named += [d.path for d in damaged] == [path.relative_to(root).as_posix()]
                    _write(root, [s for d in damaged for s in d.sessions], "run-1", None)
                    mend()
                    unmended += len(verify_tables(root)[1])
                print(f"{said} {where} {n} times: found and named {named}, not mended {unmended}\n")


def _flip(path: Path, rng: random.Random) -> None:
    raw = bytearray(path.read_bytes())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_bytes(bytes(raw))


def hostile(_: int) -> None:
    """Names and questions that want out: nothing leaves the folder, nothing is changed."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["CUEFLOW_SIGNING_KEY"] = f"{scratch}/key/signing.pem"
        root, pages = Path(scratch) / "house" / "tables", Path(scratch) / "house" / "pages"
        _write(root, HOSTILE, "run-0", None, subject="Robert'); DROP TABLE--")
        made = write_pages(root, pages)
        asked = 0
        for sql in _questions(root):
            with contextlib.suppress(QueryError, TablesError):
                query(root, sql)
                asked += 1
        seen = _visible(root)
        done = forget(root, "Robert'); DROP TABLE--", dry_run=False)
        house = {"tables", "pages"}
        strangers = [p for p in Path(scratch).iterdir() if p.name not in {"house", "key"}]
        strangers += [p for p in (Path(scratch) / "house").iterdir() if p.name not in house]
        print(
            f"hostile names: {len(HOSTILE)} sessions written, {seen} read, {len(made)} pages, {asked} of "
            f"{len(list(_questions(root)))} hostile questions answered; "
            f"erased {done.sessions}, traces {len(done.traces)}; "
            f"files outside {len(strangers)}\n"
        )


def _questions(root: Path) -> list[str]:
    return [
        "SELECT 1; DROP TABLE sessions", "COPY sessions TO '/tmp/x.csv'", "SELECT * FROM read_text('/etc/passwd')",
        f"SELECT * FROM read_text('{root}/../../secret')",  # noqa: S608
        "ATTACH '/tmp/x.db'", "INSTALL httpfs", "LOAD httpfs",
        "SET enable_external_access = true", "SELECT * FROM glob('/**')", "PRAGMA database_list",
        "WITH x AS (DELETE FROM internal.sessions RETURNING *) FROM x", "CREATE TABLE x AS SELECT 1",
        "EXPLAIN ANALYZE COPY sessions TO '/tmp/x.csv'", "SELECT getenv('HOME')", "EXPORT DATABASE '/tmp/x'",
        "SELECT * FROM read_parquet('http://localhost:9/x')", "SELECT * FROM '/etc/passwd'", "CALL pragma_version()",
    ]  # fmt: skip


def _rows(session: str, run: str, subject: str) -> dict[str, pa.Table]:
    mark = float(sum(run.encode()))
    made = {}
    for name, n in _COUNTS.items():
        schema = arrow_schema(name)
        row = {
            "session_id": session, "subject_id": subject, "visit": "1", "run_id": run, "status": "ok",
            "phase": "session", "unit": "ms", "role": "patient", "biomarker": "hrv_rmssd", "modality": "ecg",
            "value": mark, "coverage": 1.0, "label": run, "kind": "beat", "start_s": 1.0, "end_s": 1.0,
            "duration_s": 60.0, "target": "y", "contribution": mark,
            "fingerprint": run, "cueflow_version": "0.1.0", "schema_version": SCHEMA_VERSION, "layout": layout(),
            "source": "ecg", "finished_utc": datetime.now(UTC), "n_evidence": 60.0, "quality": 1.0,
        }  # fmt: skip
        kept = {k: v for k, v in row.items() if k in schema.names}
        made[name] = pa.Table.from_pylist(
            [kept | ({"t_s": float(i)} if name == "windows" else {}) for i in range(n)], schema
        )
    return made


def _write(root: Path, sessions: Sequence[str], run: str, log: Path | None, *, subject: str = "P1") -> None:
    store = TableStore(root, "d")
    with store.writing(root_fingerprint="f", session_ids=list(sessions)):
        for session in sessions:
            store.commit_session(session, _rows(session, run, subject), run_id=run)
            if log is not None:  # told only after the commit returned
                with log.open("a") as file:
                    file.write(f"{session} {run}\n")
                    file.flush()
                    os.fsync(file.fileno())


def _compact_often(root: Path) -> None:
    while True:
        with contextlib.suppress(TablesError):
            compact(root, wait_s=0.05)


def _insist(root: Path, run: str, told: Path) -> None:
    written = refused = 0
    until = time.monotonic() + 8
    while time.monotonic() < until:
        try:
            _write(root, _SESSIONS[:3], run, None)
            written += 1
        except TablesError:
            refused += 1
            time.sleep(0.01)
    told.write_text(json.dumps({"written": written, "refused": refused}))


def _read_for_ever(root: Path, told: Path) -> None:
    said = {"looks": 0, "partial": 0, "errors": 0}
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    while not stopped:
        try:
            said["partial"] += _partial(root)
        except CueflowError:
            said["errors"] += 1
        said["looks"] += 1
    told.write_text(json.dumps(said))


def _partial(root: Path) -> int:
    """Sessions that are seen with a row too few or too many, or with rows of two runs."""
    with open_tables(root) as tables:
        runs = dict(tables.sessions.select("session_id", "run_id").collect().iter_rows())
        wrong = set()
        for name in TABLES:
            seen: dict[str, list[str]] = {}
            for session, run in tables[name].select("session_id", "run_id").collect().iter_rows():
                seen.setdefault(session, []).append(run)
            wrong |= {s for s, run in runs.items() if seen.get(s, []) != [run] * _COUNTS[name]}
            wrong |= set(seen) - set(runs)
    return len(wrong)


def _visible(root: Path) -> int:
    with open_tables(root) as tables:
        return tables.sessions.select("session_id").collect().height


def _older_than_told(root: Path, log: Path) -> int:
    """Sessions whose visible run is older than the last one that a writer was told is safe."""
    told = dict(line.split() for line in log.read_text().splitlines())
    with open_tables(root) as tables:
        seen = dict(tables.sessions.select("session_id", "run_id").collect().iter_rows())
    return sum(int(seen[s].split("-")[1]) < int(run.split("-")[1]) for s, run in told.items() if s in seen)


def _fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


if __name__ == "__main__":
    main(sys.argv[1:])
