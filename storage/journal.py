"""How a session's tables appear all at once, whatever kills the writer.

1. `<session>.staging` names the run; every part file is written beside its place under a hidden name and synced.
2. `<session>.staging` becomes `<session>.json`: from here on the commit will happen, now or when the next writer comes.
3. If the session was there before, its sessions file is replaced by one without rows: readers see none of it.
4. The other tables' files are put in place, then the one of `sessions`; the journal is deleted.

Each step is an atomic rename that can be done again, so `roll_forward` simply repeats what a journal says.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import unquote

from cueflow.storage.atomic import sync_dir, write_synced
from cueflow.storage.layout import ORDER, PART, commits_dir, encoded, part_path, session_dir, state_dir
from cueflow.storage.readers import nobody_reads

_PATIENCE_S = 2.0  # a reader that stays longer may miss a session that was written again meanwhile
_STAGED = ".part-*.tmp"


def commit(
    root: Path, dataset: str, session_id: str, *, parts: Mapping[str, bytes], no_session: bytes, run_id: str
) -> None:
    """Put a session's files in place.

    Parameters
    ----------
    root : Path
        TABLES.
    dataset, session_id : str
        Whose files.
    parts : mapping
        Table to the bytes of its file.
    no_session : bytes
        A sessions file without rows.
    run_id : str
        Run that writes.

    Raises
    ------
    OSError
        If a file cannot be written. Before the journal is complete nothing has changed and nothing is left behind;
        after it the commit is finished by the next writer.
    """
    journal = commits_dir(root, dataset) / f"{encoded(session_id)}.json"
    staging = journal.with_suffix(".staging")
    journal.parent.mkdir(parents=True, exist_ok=True)
    if journal.exists():  # an earlier commit of this process could not be finished
        _finish(root, dataset, journal, session_id=session_id, run_id=_run_of(journal) or run_id)
    _drop(root, dataset, session_id)
    hides = part_path(root, "sessions", dataset, session_id).exists()
    try:
        write_synced(staging, json.dumps({"session_id": session_id, "run_id": run_id}).encode())
        for table in ORDER:
            if table in parts:
                _stage(session_dir(root, table, dataset, session_id), _staged_name(run_id), parts[table])
        if hides:
            _stage(session_dir(root, "sessions", dataset, session_id), _hiding_name(run_id), no_session)
        staging.replace(journal)
    except OSError:
        _drop(root, dataset, session_id)
        staging.unlink(missing_ok=True)
        raise
    sync_dir(journal.parent)
    _finish(root, dataset, journal, session_id=session_id, run_id=run_id)


def roll_forward(root: Path) -> int:
    """Finish or undo what a killed writer left.

    Parameters
    ----------
    root : Path
        TABLES; the caller holds its lock.

    Returns
    -------
    int
        Commits that were finished. A file that cannot be put in place raises `OSError`.
    """
    finished = 0
    for staging in sorted((state_dir(root) / "commits").glob("*/*.staging")):
        _drop(root, unquote(staging.parent.name), unquote(staging.stem))
        staging.unlink()
    for journal in sorted((state_dir(root) / "commits").glob("*/*.json")):
        dataset, session_id = unquote(journal.parent.name), unquote(journal.stem)
        run_id = _run_of(journal)
        if run_id is None:  # damaged on disk: what it had begun is hidden, what it had not is as it was
            _drop(root, dataset, session_id)
            journal.unlink()
            continue
        _finish(root, dataset, journal, session_id=session_id, run_id=run_id)
        finished += 1
    return finished


def _finish(root: Path, dataset: str, journal: Path, *, session_id: str, run_id: str) -> None:
    sessions = session_dir(root, "sessions", dataset, session_id)
    hiding = sessions / _hiding_name(run_id)
    # Whoever opened the tables before reads the old rows to their end, if that does not take long.
    with nobody_reads(root, wait_s=_PATIENCE_S) if hiding.exists() else nullcontext():
        _put_in_place(root, dataset, session_id=session_id, run_id=run_id)
    journal.unlink()
    sync_dir(journal.parent)


def _put_in_place(root: Path, dataset: str, *, session_id: str, run_id: str) -> None:
    sessions = session_dir(root, "sessions", dataset, session_id)
    hiding = sessions / _hiding_name(run_id)
    if hiding.exists():  # its rename is the first step: while it waits, no other step has been taken
        hiding.replace(sessions / PART)
        sync_dir(sessions)
    for table in ORDER:
        folder = session_dir(root, table, dataset, session_id)
        staged = folder / _staged_name(run_id)
        if staged.exists():
            staged.replace(folder / PART)
            sync_dir(folder)


def _stage(folder: Path, name: str, data: bytes) -> None:
    fresh = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    write_synced(folder / name, data)
    sync_dir(folder)
    if fresh:
        sync_dir(folder.parent)


def _drop(root: Path, dataset: str, session_id: str) -> None:
    for table in ORDER:
        folder = session_dir(root, table, dataset, session_id)
        for staged in folder.glob(_STAGED):
            staged.unlink(missing_ok=True)
        if folder.is_dir() and not os.listdir(folder):  # noqa: PTH208 - the shortest emptiness test
            folder.rmdir()


def _run_of(journal: Path) -> str | None:
    try:
        run_id = json.loads(journal.read_bytes())["run_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return run_id if isinstance(run_id, str) else None


def _staged_name(run_id: str) -> str:
    return f".part-{encoded(run_id)}.tmp"


def _hiding_name(run_id: str) -> str:
    return f".part-{encoded(run_id)}-hide.tmp"
