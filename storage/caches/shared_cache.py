"""The stage cache shared between machines: the same entries, under the same names, in an object store.

CUEFLOW_CACHE names it (`s3://bucket/prefix`, or any address that fsspec knows); credentials come from the store's own
environment. An entry that was cut or altered on its way is not trusted: it is removed, and computed again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from cueflow.schemas.errors import ConfigError, StoreError
from cueflow.storage.caches.stage_cache import is_intact, put_bytes

SHARED = "CUEFLOW_CACHE"


class SharedCache:
    """Entries of the stage cache in an object store.

    Parameters
    ----------
    address : str
        Where; an address whose library is not installed raises `ConfigError`.
    """

    def __init__(self, address: str) -> None:
        try:
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(address)
        except (ImportError, ValueError) as error:
            message = f"{SHARED} names no store that can be used here: for S3 install cueflow[s3]."
            raise ConfigError(message) from error

    def names(self, dataset: str) -> frozenset[str]:
        """Names of all entries of a dataset; a store that does not answer is a `StoreError`, a new bucket is empty."""
        folder = self._at(f"dataset={dataset}")
        with _store_errors():
            self._files.invalidate_cache()
            try:
                found = self._files.find(folder)
            except FileNotFoundError:
                return frozenset()
        start = len(str(self._root).rstrip("/")) + 1
        return frozenset(str(path)[start:] for path in found)

    def fetch(self, name: str, path: Path) -> bool:
        """Copy an entry to its local place; False where there is none, or it is not what was written."""
        with _store_errors():
            try:
                raw = self._files.cat_file(self._at(name))
            except FileNotFoundError:
                return False
        put_bytes(path, raw)
        if is_intact(path):
            return True
        path.unlink()
        self.remove(name)
        return False

    def push(self, name: str, path: Path) -> None:
        """Copy a local entry to the store; one that does not answer is a `StoreError`."""
        with _store_errors():
            self._files.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(self._at(name), path.read_bytes())

    def remove(self, name: str) -> None:
        """Remove an entry, or all entries below a name; nothing where there is none."""
        with _store_errors():
            self._files.invalidate_cache()
            if self._files.exists(self._at(name)):
                self._files.rm(self._at(name), recursive=True)

    def text(self, name: str) -> str:
        """A small text; one that is not there is a `StoreError`."""
        with _store_errors():
            return str(self._files.cat_file(self._at(name)).decode())

    def put_text(self, name: str, text: str) -> None:
        """Write a small text."""
        with _store_errors():
            self._files.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(self._at(name), text.encode())

    def _at(self, name: str) -> str:
        return f"{str(self._root).rstrip('/')}/{name}"


def shared_cache() -> SharedCache | None:
    """The store that CUEFLOW_CACHE names; None where it names none."""
    address = os.environ.get(SHARED, "")
    return _opened(address, os.getpid()) if address else None


@cache
def _opened(address: str, _process: int) -> SharedCache:
    return SharedCache(address)


@contextmanager
def _store_errors() -> Iterator[None]:
    """Turn what a store's library raises into one error that may pass.

    Raises
    ------
    StoreError
        If the store does not answer, or refuses.
    """
    try:
        yield
    except _kinds() as error:
        raise StoreError(f"The shared store could not be reached, or refuses ({type(error).__name__}).") from error


@cache
def _kinds() -> tuple[type[BaseException], ...]:
    kinds: list[Any] = [OSError, TimeoutError]
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return tuple(kinds)
    return (*kinds, BotoCoreError, ClientError)
