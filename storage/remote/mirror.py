"""Tables that lie in a bucket (`s3://…`, or any place that fsspec knows) are read and written through a local mirror.

Everything else sees an ordinary folder. The remote place is the truth: a mirror is brought up to date before it is
read, and a writer puts each session there as soon as it is committed, `sessions` last, so that readers elsewhere see
it whole or not at all. What a killed writer had not put there is computed again, from its cache. A copy is taken only
where nothing changed while it was made. One writer at a time: `.cueflow/lock.json`, made only where it is not there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cueflow.schemas.errors import TablesError
from cueflow.storage.atomic import replace_bytes

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

CACHE = "CUEFLOW_CACHE_DIR"
LEASE_S = 120.0
_URL = re.compile(r"^([a-z][a-z0-9+.-]+):/{1,3}(.*)$")
_MARK = "remote.json"
_TRIES = 10
# What belongs to one machine: locks, journals, what can be computed again, and who asked what there.
_OWN = re.compile(
    r"^\.cueflow/(lock|turn|lock\.json|readers|gate|audit\.jsonl|cache/|commits/|workers\.log|hashes\.json|pages\.json)|\.tmp$"
)


def place(path: str | Path) -> Path:
    """The local folder of tables: the path itself, or an up-to-date mirror where it is an address.

    Parameters
    ----------
    path : str or Path
        A folder, or `s3://bucket/prefix` and the like (a `Path` may have lost a slash).

    Returns
    -------
    Path
        A place that cannot be reached is a `TablesError`.
    """
    found = _URL.match(str(path))
    if found is None:
        return Path(path)
    slashes = "///" if found[1] == "file" else "//"  # a Path has lost some
    mirror = Mirror.of(f"{found[1]}:{slashes}{found[2].rstrip('/')}")
    mirror.pull()
    return mirror.tables


def mirror_of(root: Path) -> Mirror | None:
    """The mirror that a folder of tables is, or None where it is itself the original."""
    mark = root.parent / _MARK
    if not mark.is_file():
        return None
    return Mirror(json.loads(mark.read_text())["url"], root.parent)


@contextmanager
def held(root: Path, *, hide_first: bool = False) -> Iterator[None]:
    """Hold the original of a mirror for writing, and bring it up to date in the end; other folders need nothing.

    Parameters
    ----------
    root : Path
        TABLES.
    hide_first : bool
        For erasures: `sessions` first, so that nobody sees a part of what goes.
    """
    mirror = mirror_of(root)
    if mirror is None:
        yield
        return
    with mirror.lock():
        mirror.pull()
        try:
            yield
        finally:
            mirror.push(hide_first=hide_first)


def push_session(root: Path, places: Iterable[Path]) -> None:
    """Put the files of a session that was just committed to the original; other folders need nothing."""
    mirror = mirror_of(root)
    if mirror is not None:
        mirror.push(only={p.relative_to(root).as_posix() for p in places})


@dataclass(frozen=True)
class Mirror:
    """A place that fsspec knows, and the folder on this machine that is kept like it."""

    url: str
    folder: Path

    @classmethod
    def of(cls, url: str) -> Mirror:
        """The mirror of an address, in CUEFLOW_CACHE_DIR or the user's cache."""
        cache = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "cueflow")
        folder = cache / "remote" / hashlib.sha256(url.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        replace_bytes(folder / _MARK, json.dumps({"url": url}).encode())
        return cls(url, folder)

    @property
    def tables(self) -> Path:
        """The local folder of tables."""
        return self.folder / "tables"

    @cached_property
    def _place(self) -> tuple[AbstractFileSystem, str]:
        try:
            import fsspec

            fs, prefix = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            kind = self.url.split(":", 1)[0]
            raise TablesError(f"Places of the kind {kind}:// cannot be read here: pip install 'cueflow[s3]'") from error
        return fs, prefix.rstrip("/")

    def pull(self) -> None:
        """Make the mirror like the original; a copy that was overtaken by a writer is taken again.

        Raises
        ------
        TablesError
            If the original cannot be reached, or never stands still.
        """
        with self._alone(), _remote_errors("reading the tables"):
            before = self._listed()
            for _ in range(_TRIES):
                self._copy(before)
                after = self._listed()
                if after == before:
                    return
                before = after
        raise TablesError("The tables change faster than they can be copied: try again.")

    def push(self, *, only: set[str] | None = None, hide_first: bool = False) -> None:
        """Make the original like the mirror.

        Parameters
        ----------
        only : set of str, optional
            Only these files; nothing is removed.
        hide_first : bool
            `sessions` before the other tables.
        """
        with self._alone(), _remote_errors("writing the tables"):
            known = self._known()
            here = {p.relative_to(self.tables).as_posix(): _stamp(p) for p in self.tables.rglob("*") if p.is_file()}
            here = {name: stamp for name, stamp in here.items() if not _OWN.search(name)}
            changed = [n for n, stamp in here.items() if known.get(n, {}).get("here") != stamp]
            changed = sorted((n for n in changed if only is None or n in only), key=lambda n: _order(n, hide_first))
            if only is not None:
                self._hide_changed(changed, known)
            for name in changed:
                self._put(name, known)
            gone = [name for name in known if name not in here] if only is None else []
            for name in sorted(gone, key=lambda n: _order(n, hide_first=True)):
                with contextlib.suppress(FileNotFoundError):
                    self._fs.rm_file(self._remote(name))
                known.pop(name)
            self._remember(known)

    def _hide_changed(self, changed: list[str], known: dict[str, dict[str, Any]]) -> None:
        """A session that is written again disappears first: its new rows must not be seen beside its old ones."""
        from cueflow.schemas.tables import arrow_schema

        for name in changed:
            if name.startswith("sessions/") and name in known:
                import pyarrow as pa
                import pyarrow.parquet as pq

                sink = pa.BufferOutputStream()
                pq.write_table(arrow_schema("sessions").empty_table(), sink)
                self._fs.pipe_file(self._remote(name), bytes(sink.getvalue()))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the only writer; the lock is renewed while it is held, and free some time after its owner has died.

        Raises
        ------
        TablesError
            If another one writes.
        """
        mine, place_of_lock = uuid.uuid4().hex, self._remote(".cueflow/lock.json")
        with _remote_errors("locking the tables"):
            if not self._take(place_of_lock, mine):
                raise TablesError("Another run writes these tables now: wait until it has ended.")
        ended = threading.Event()

        def renew() -> None:
            while not ended.wait(LEASE_S / 4):
                with contextlib.suppress(OSError):
                    self._fs.pipe_file(place_of_lock, _lease(mine))

        keeper = threading.Thread(target=renew, daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()
            with _remote_errors("unlocking the tables"), contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(place_of_lock)

    def _take(self, place_of_lock: str, mine: str) -> bool:
        self._make_folder(place_of_lock)
        for _ in range(2):
            try:
                self._fs.pipe_file(place_of_lock, _lease(mine), mode="create")
            except FileExistsError:
                if not self._is_stale(place_of_lock):
                    return False
                with contextlib.suppress(FileNotFoundError):
                    self._fs.rm_file(place_of_lock)
                continue
            return bool(json.loads(self._fs.cat_file(place_of_lock))["owner"] == mine)
        return False

    def _is_stale(self, place_of_lock: str) -> bool:
        try:
            return float(json.loads(self._fs.cat_file(place_of_lock))["until"]) < time.time()
        except (FileNotFoundError, ValueError, KeyError):
            return True

    @property
    def _fs(self) -> AbstractFileSystem:
        return self._place[0]

    def _remote(self, name: str) -> str:
        return f"{self._place[1]}/{name}"

    def _listed(self) -> dict[str, str]:
        """Files of the original, with what tells one writing of a file from another."""
        self._fs.invalidate_cache()
        prefix = self._place[1]
        try:
            found = self._fs.find(prefix, detail=True)
        except FileNotFoundError:
            return {}
        names = {path.removeprefix(prefix).lstrip("/"): facts for path, facts in found.items()}
        return {name: _token(facts) for name, facts in names.items() if name and not _OWN.search(name)}

    def _copy(self, listed: dict[str, str]) -> None:
        known = self._known()
        for name in sorted(set(known) - set(listed), key=lambda n: _order(n, hide_first=True)):
            (self.tables / name).unlink(missing_ok=True)
            known.pop(name)
        for name, token in sorted(listed.items(), key=lambda item: _order(item[0], hide_first=False)):
            local = self.tables / name
            stale = known.get(name, {}).get("there") != token or not local.is_file()
            if stale or known[name]["here"] != _stamp(local):
                try:
                    replace_bytes(local, self._fs.cat_file(self._remote(name)))
                except FileNotFoundError:  # removed since it was listed: the next listing says so
                    continue
                known[name] = {"there": token, "here": _stamp(local)}
        self._drop_strangers(set(listed))
        self._remember(known)

    def _drop_strangers(self, listed: set[str]) -> None:
        """Remove files that the original does not have: a killed writer left them."""
        for path in list(self.tables.rglob("*")) if self.tables.is_dir() else []:
            name = path.relative_to(self.tables).as_posix()
            if path.is_file() and name not in listed and not _OWN.search(name):
                path.unlink()

    def _put(self, name: str, known: dict[str, dict[str, Any]]) -> None:
        local, remote = self.tables / name, self._remote(name)
        self._make_folder(remote)
        stamp = _stamp(local)
        self._fs.pipe_file(remote, local.read_bytes())
        self._fs.invalidate_cache()
        known[name] = {"there": _token(self._fs.info(remote)), "here": stamp}

    def _make_folder(self, remote: str) -> None:
        with contextlib.suppress(OSError):  # a place without folders
            self._fs.makedirs(remote.rsplit("/", 1)[0], exist_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "sync.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _known(self) -> dict[str, dict[str, Any]]:
        try:
            known = json.loads((self.folder / "state.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _remember(self, known: dict[str, dict[str, Any]]) -> None:
        replace_bytes(self.folder / "state.json", json.dumps(known).encode())


def _order(name: str, hide_first: bool) -> tuple[bool, str]:  # noqa: FBT001 - a sort key
    is_session = name.startswith("sessions/")
    return (not is_session if hide_first else is_session, name)


def _stamp(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


def _token(facts: dict[str, Any]) -> str:
    """What changes with every writing: the entity tag, or size and time."""
    tag = facts.get("ETag") or facts.get("etag") or facts.get("md5") or ""
    when = facts.get("mtime") or facts.get("created") or facts.get("LastModified") or ""
    return f"{facts.get('size')} {tag or when}"


def _lease(owner: str) -> bytes:
    return json.dumps({"owner": owner, "until": time.time() + LEASE_S}).encode()


@contextmanager
def _remote_errors(what: str) -> Iterator[None]:
    """Say in our own words what went wrong with a place elsewhere.

    Raises
    ------
    TablesError
        For any trouble of the connection or the rights.
    """
    try:
        yield
    except OSError as error:
        trouble = error.strerror or type(error).__name__
        message = f"{what}: the remote place answers {trouble}; check its name, your rights and the net"
        raise TablesError(message) from error
