"""BIDS physio: the metadata beside and above a file (inheritance principle), and its columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.ingest.raw import Query, Raw
from cueflow.tasks.ingest.tabular.tables import read_text

PHYSIO = "_physio.tsv.gz"
_NO_UNIT = frozenset({"n/a", "arbitrary", "a.u.", "au", "arbitrary units"})


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What the metadata of a physio file say: rate in Hz, start in s, names of the columns, their details by name."""

    sampling_rate: float
    start_s: float
    columns: tuple[str, ...]
    details: Mapping[str, Mapping[str, Any]]

    def unit(self, column: str) -> str:
        """Unit of a column; empty where it has none that means anything."""
        unit = str(self.details.get(column, {}).get("Units", "")).strip()
        return "" if unit.casefold() in _NO_UNIT else unit

    def describes(self, column: str, *words: str) -> bool:
        """Whether the description of a column holds one of some words (lower case)."""
        said = " ".join(str(value) for value in self.details.get(column, {}).values()).casefold()
        return any(word in said for word in words)


def is_physio(path: Path) -> bool:
    """Whether a file is named as BIDS physio and has a sidecar that applies."""
    return path.name.endswith(PHYSIO) and bool(sidecars_of(path))


def read_sidecar(path: Path) -> Sidecar:
    """Metadata of a BIDS physio file: its own `.json` over those above it that apply.

    Parameters
    ----------
    path : Path
        A file named `*_physio.tsv.gz`.

    Returns
    -------
    Sidecar

    Raises
    ------
    StreamError
        RATE_MISSING or COLUMN_MISSING if the metadata are not complete; NOT_A_NUMBER if SamplingFrequency or StartTime
        is none; FILE_UNREADABLE if a sidecar is not JSON.
    """
    merged: dict[str, Any] = {}
    for file in sidecars_of(path):
        merged |= _json(file)
    columns = merged.get("Columns")
    if not isinstance(columns, list) or not columns:
        message = "no sidecar (_physio.json) names its Columns: write one beside it"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    if "SamplingFrequency" not in merged:
        message = "no sidecar (_physio.json) gives its SamplingFrequency: write it there"
        raise StreamError(message, reason=Reason.RATE_MISSING)
    rate = _number(merged, "SamplingFrequency")
    if rate <= 0:
        raise StreamError("SamplingFrequency must be above 0", reason=Reason.NOT_A_NUMBER)
    details = {str(name): value for name, value in merged.items() if isinstance(value, dict)}
    return Sidecar(rate, _number(merged, "StartTime"), tuple(str(c).strip() for c in columns), details)


def read_physio(path: Path, query: Query) -> Raw:
    """Read one column of a BIDS physio file, which has no header line.

    Parameters
    ----------
    path : Path
        `*_physio.tsv.gz`.
    query : Query
        Which of the sidecar's Columns.

    Returns
    -------
    Raw
        Starting at the sidecar's StartTime; a column of time stamps, where there is one, counts from its first.

    Raises
    ------
    StreamError
        If the metadata are not complete, or the column is not there or holds text.
    """  # noqa: DOC502  raised by the helpers
    sidecar = read_sidecar(path)
    raw = read_text(path, query, names=sidecar.columns, from_first=True)
    unit = sidecar.unit(query.channel.strip())
    return Raw(raw.values, raw.times_s, sidecar.sampling_rate, unit, sidecar.start_s, cut=raw.cut)


def _number(merged: Mapping[str, Any], key: str) -> float:
    value = merged.get(key, 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise StreamError(f"{key} in the sidecar is not a number: correct it", reason=Reason.NOT_A_NUMBER)
    return float(value)


def sidecars_of(path: Path) -> list[Path]:
    """Sidecars that apply to a file, the farthest and most general first.

    Parameters
    ----------
    path : Path
        A file named `*_physio.tsv.gz`.

    Returns
    -------
    list of Path
    """
    own = set(path.name.removesuffix(PHYSIO).split("_"))
    found: list[Path] = []
    for folder in reversed(list(_folders(path.parent))):
        here = [(len(e), name) for name, e in _physio_jsons(folder, folder.stat().st_mtime_ns) if e <= own]
        found += [folder / name for _, name in sorted(here)]
    return found


def _folders(folder: Path) -> Iterator[Path]:
    """The folder and those above it, as far as the dataset reaches: one above the topmost `sub-*`."""
    chain = [folder, *folder.parents]
    last = max((i for i, f in enumerate(chain) if f.name.startswith("sub-")), default=-1)
    yield from chain[: last + 2]


@lru_cache(maxsize=4096)
def _physio_jsons(folder: Path, _: int) -> tuple[tuple[str, frozenset[str]], ...]:
    """Names of the physio sidecars in a folder with their entities; the folder's own time makes the cache honest."""
    names = [f.name for f in folder.glob("*physio.json")]
    return tuple((n, frozenset(n.removesuffix("physio.json").strip("_").split("_")) - {""}) for n in sorted(names))


def _json(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise StreamError("a sidecar (_physio.json) is not JSON: correct it", reason=Reason.FILE_UNREADABLE) from error
    return read if isinstance(read, dict) else {}
