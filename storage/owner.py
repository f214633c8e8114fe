"""Who may write into TABLES: one process at a time, and only into tables of its own dataset."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from cueflow.schemas.errors import ForeignOutputError, TablesError
from cueflow.schemas.tables import SCHEMA_VERSION
from cueflow.storage.atomic import disk_errors, replace_bytes
from cueflow.storage.compaction.buckets import written_in_buckets
from cueflow.storage.layout import state_dir, written_datasets, written_sessions
from cueflow.storage.remote.mirror import held

PATIENCE_S = 5.0  # how long a writer waits for its turn, where another one writes
_PAUSE_S = 0.02
_HARMLESS = frozenset({".cueflow", ".DS_Store", ".gitkeep", ".gitignore", "lost+found"})


@contextmanager
def locked(root: Path, *, erasing: bool = False) -> Iterator[None]:
    """Hold TABLES for writing; the lock dies with its process. Of a mirror the original is held, too.

    Who comes while another one writes waits a little, and is the next: one that writes again and again must let it.

    Parameters
    ----------
    root : Path
        TABLES; its `.cueflow` folder is made if needed.
    erasing : bool
        Whether sessions leave: then they disappear from `sessions` first.

    Raises
    ------
    TablesError
        If another process goes on writing there, or the folder cannot be written.
    """
    with disk_errors("opening the tables for writing"):
        state_dir(root).mkdir(parents=True, exist_ok=True)
        for name in ("readers", "gate"):
            (state_dir(root) / name).touch()  # for those who may only read
        turn, lock = ((state_dir(root) / name).open("ab") for name in ("turn", "lock"))
    with lock:
        until = time.monotonic() + PATIENCE_S
        with turn:  # held while one waits for the lock: whoever just had it must wait for the turn first
            if not (_taken(turn, until) and _taken(lock, until)):
                message = (
                    "Another run writes these tables now: wait until it has ended, or choose another output folder."
                )
                raise TablesError(message)
        with held(root, hide_first=erasing):
            yield


def _taken(file: IO[bytes], until: float) -> bool:
    """Wait for a lock; false where it is not free in time.

    Raises
    ------
    TablesError
        If the file system has no locks.
    """
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE_S)
        except OSError as error:
            message = f"These tables cannot be locked ({error.strerror}): choose a folder on another file system."
            raise TablesError(message) from error
        else:
            return True


def refuse_foreign_folder(root: Path) -> None:
    """Refuse a folder that holds something else than cueflow tables.

    Parameters
    ----------
    root : Path
        The output folder; it may be missing or empty.

    Raises
    ------
    ForeignOutputError
        If it is a file, or holds files and was not made by cueflow.
    """
    if not root.exists():
        return
    if not root.is_dir():
        raise ForeignOutputError("The output is a file: name a folder.")
    if _owner_path(root).is_file():
        return
    with disk_errors("looking at the output folder"):
        foreign = sorted(p.name for p in root.iterdir() if p.name not in _HARMLESS)
    if foreign:
        message = f"The output folder holds other files ({foreign[0]!r} is one): choose an empty or a new folder."
        raise ForeignOutputError(message)


def claim(root: Path, dataset: str, *, root_fingerprint: str, session_ids: Iterable[str], join: bool) -> None:
    """Note that a dataset's tables live here, or refuse because others do.

    Parameters
    ----------
    root : Path
        TABLES; the caller holds its lock.
    dataset : str
        Name of the dataset.
    root_fingerprint : str
        From `storage.fingerprints.root_fingerprint`: tells two datasets of one name apart.
    session_ids : iterable of str
        Sessions of the dataset; one that is already here proves that it is the same dataset, moved.
    join : bool
        Allow tables of another dataset side by side.

    Raises
    ------
    ForeignOutputError
        If the tables belong to another dataset.
    """
    owner = _read_owner(root)
    others = {*owner, *written_datasets(root)} - {dataset}
    if others and not join:
        message = (
            f"These tables belong to dataset {min(others)!r}: choose another output folder, or join them (--join)."
        )
        raise ForeignOutputError(message)
    known = owner.get(dataset, {}).get("root_fingerprint")
    here: set[str] = set()
    if known != root_fingerprint:
        here = {*written_sessions(root, dataset), *written_in_buckets(root, dataset)}
    if here and here.isdisjoint(session_ids):
        message = (
            f"These tables hold another dataset that is also named {dataset!r} (no session in common): "
            "choose another output folder, or another name (--dataset-name)."
        )
        raise ForeignOutputError(message)
    if known != root_fingerprint:
        since = owner.get(dataset, {}).get("since_utc") or datetime.now(UTC).isoformat(timespec="seconds")
        owner[dataset] = {"root_fingerprint": root_fingerprint, "since_utc": since}
        content = {"made_by": "cueflow", "schema_version": SCHEMA_VERSION, "datasets": owner}
        replace_bytes(_owner_path(root), json.dumps(content, indent=1, sort_keys=True).encode())


def is_tables(root: Path) -> bool:
    """Whether a folder holds cueflow tables."""
    return _owner_path(root).is_file() or (root / "sessions").is_dir()


def _owner_path(root: Path) -> Path:
    return state_dir(root) / "owner.json"


def _read_owner(root: Path) -> dict[str, dict[str, Any]]:
    try:
        raw = json.loads(_owner_path(root).read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        return {}  # damaged: the folders of the tables still say whose they are
    datasets = raw.get("datasets") if isinstance(raw, dict) else None
    return {k: v for k, v in datasets.items() if isinstance(v, dict)} if isinstance(datasets, dict) else {}
