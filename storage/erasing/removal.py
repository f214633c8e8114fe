"""Sessions leave the tables: first from readers' sight, then every file; what was begun is always finished."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cueflow.schemas.tables import TABLES
from cueflow.storage.atomic import replace_bytes, sync_dir
from cueflow.storage.caches.shared_cache import shared_cache
from cueflow.storage.compaction.buckets import drop_staged, remove_from_buckets
from cueflow.storage.fingerprints import memo_path
from cueflow.storage.layout import commits_dir, encoded, part_path, state_dir
from cueflow.storage.records.trained import forget_in_models

Doomed = Mapping[str, Sequence[str]]
_SHORT = 4  # shorter ids are words and numbers in any text: they are looked for as whole values only


def remove_sessions(root: Path, doomed: Doomed, *, subjects: Sequence[str]) -> None:
    """Remove every file of some sessions; if this is killed, `finish_removal` goes on.

    Parameters
    ----------
    root : Path
        TABLES; the caller holds its lock.
    doomed : mapping
        Dataset to the ids of its sessions.
    subjects : sequence of str
        Those who leave altogether; lines of logs that name them go too. A file that cannot be removed raises `OSError`.
    """
    order = {"subjects": list(subjects), "sessions": {dataset: list(ids) for dataset, ids in doomed.items()}}
    replace_bytes(_order_path(root), json.dumps(order).encode())
    finish_removal(root)


def finish_removal(root: Path) -> None:
    """Go on with a removal that was begun; without one nothing happens. The caller holds the lock of TABLES."""
    path = _order_path(root)
    if not path.is_file():
        return
    order = json.loads(path.read_bytes())
    sessions = [(dataset, session_id) for dataset, ids in order["sessions"].items() for session_id in ids]
    drop_staged(root)
    # A bucket may hold an older writing of a session, which must not come to light: it goes first.
    remove_from_buckets(root, "sessions", order["sessions"])
    for dataset, session_id in sessions:
        part_path(root, "sessions", dataset, session_id).unlink(missing_ok=True)
    for table in TABLES:
        remove_from_buckets(root, table, order["sessions"])
    for dataset, session_id in sessions:
        _remove_files(root, dataset, session_id)
    memo_path(root).unlink(missing_ok=True)
    forget_in_models(root, order["subjects"])
    _scrub_logs(root, pattern_of([*order["subjects"], *(s for _, s in sessions)]))
    path.unlink()
    sync_dir(state_dir(root))


def pattern_of(ids: Sequence[str]) -> str:
    """Regular expression (Python's and Polars' alike) that finds ids in text, not as a part of longer ones.

    Parameters
    ----------
    ids : sequence of str
        Subject or session ids; one of fewer than 4 characters is found only as a whole value: quoted, a line of its
        own, or a partition of a path.

    Returns
    -------
    str
    """
    forms = sorted({form for name in ids for form in (name, encoded(name))})
    long = "|".join(_escaped(f) for f in forms if len(f) >= _SHORT)
    short = "|".join(_escaped(f) for f in forms if len(f) < _SHORT)
    parts = []
    if long:
        parts.append(rf"(?:^|[^A-Za-z0-9_-])(?:{long})(?:[^A-Za-z0-9_-]|$)")
    if short:
        parts.append(rf'(?:^|["=])(?:{short})(?:["/]|$)')
    return "(?m)" + "|".join(parts)


def _escaped(name: str) -> str:
    return re.sub(r"([\\.+*?()|\[\]{}^$#&~])", r"\\\1", name)


def _remove_files(root: Path, dataset: str, session_id: str) -> None:
    """Remove the folders of a session in every table, its cached stages and journals.

    Folders of the cache may carry the id as it is or percent-encoded.
    """
    for base in (*(root / table for table in TABLES), state_dir(root) / "cache"):
        for first in _spellings("dataset", dataset):
            for second in _spellings("session", session_id):
                _remove_folder(base / first / second)
    if (shared := shared_cache()) is not None:
        shared.remove(f"dataset={dataset}/session={session_id}")
    for suffix in ("json", "staging"):
        (commits_dir(root, dataset) / f"{encoded(session_id)}.{suffix}").unlink(missing_ok=True)


def _spellings(key: str, name: str) -> set[str]:
    plain = {f"{key}={name}"} if "/" not in name else set()
    return {f"{key}={encoded(name)}"} | plain


def _remove_folder(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
        sync_dir(folder.parent)


def _scrub_logs(root: Path, pattern: str) -> None:
    named = re.compile(pattern.encode())
    for log in state_dir(root).glob("*.log"):
        lines = log.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if not named.search(line)]
        if len(kept) < len(lines):
            replace_bytes(log, b"".join(kept))


def _order_path(root: Path) -> Path:
    return state_dir(root) / "erasing.json"
