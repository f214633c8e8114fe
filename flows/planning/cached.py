"""Which stages have their results already: in TABLES, or in the store that machines share."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cueflow.flows.work.jobs import StageJob
from cueflow.storage.caches.shared_cache import shared_cache
from cueflow.storage.caches.stage_cache import cache_path, entry_name, is_intact

_AT_ONCE = 16  # most of the time goes into waiting for the store


class Cached:
    """What the stage cache holds of a dataset.

    Parameters
    ----------
    tables : Path
        TABLES.
    dataset : str
        Name of the dataset.
    """

    def __init__(self, tables: Path, dataset: str) -> None:
        self._tables, self._shared = tables, shared_cache()
        self._names = self._shared.names(dataset) if self._shared is not None else frozenset()

    def lists(self, job: StageJob) -> bool:
        """Whether there is an entry, without looking into it."""
        return self._path(job).is_file() or self._name(job) in self._names

    def missing(self, jobs: Sequence[StageJob]) -> frozenset[str]:
        """Keys of the jobs that must be computed: no entry, or one that was cut or altered.

        Entries of the shared store are copied to TABLES on the way.
        """
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return frozenset(
                job.key for job, good in zip(jobs, threads.map(self._usable, jobs), strict=True) if not good
            )

    def _usable(self, job: StageJob) -> bool:
        path, name = self._path(job), self._name(job)
        if is_intact(path):
            return True
        return self._shared is not None and name in self._names and self._shared.fetch(name, path)

    def _path(self, job: StageJob) -> Path:
        return cache_path(self._tables, job.dataset, job.session_id, group=job.group, key=job.key)

    def _name(self, job: StageJob) -> str:
        return entry_name(job.dataset, job.session_id, group=job.group, key=job.key)
