"""New names for subjects and sessions, and shifted dates; the key stays with whoever exports."""

from __future__ import annotations

import csv
import io
import os
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.schemas.errors import TablesError

if TYPE_CHECKING:
    import polars as pl

_DAYS = 365


@dataclass(frozen=True, slots=True)
class Key:
    """What leads back: subject to pseudonym and shift, (dataset, session) to pseudonym, visit to its number."""

    subjects: dict[str, str]
    shifts: dict[str, timedelta]
    sessions: dict[tuple[str, str], str]
    visits: dict[tuple[str, str], str]


def new_key(sessions: pl.DataFrame) -> Key:
    """Draw pseudonyms; they say nothing about ids, order or dates.

    Parameters
    ----------
    sessions : polars.DataFrame
        dataset, session_id, subject_id, visit.

    Returns
    -------
    Key
    """
    people = sorted({s or "" for s in sessions["subject_id"]})
    pairs = sorted(sessions.select("dataset", "session_id").iter_rows())
    visits: dict[tuple[str, str], str] = {}
    for person in people:
        mine = sessions.filter(sessions["subject_id"].fill_null("") == person)["visit"].fill_null("").unique().to_list()
        visits |= {(person, visit): str(k) for k, visit in enumerate(sorted(mine, key=_natural), start=1)}
    return Key(
        subjects=dict(zip(people, _names("P", len(people)), strict=True)),
        shifts={person: _shift() for person in people},
        sessions=dict(zip(pairs, _names("S", len(pairs)), strict=True)),
        visits=visits,
    )


def write_key(key: Key, path: Path) -> None:
    """Write the key as CSV, readable by its owner only.

    Parameters
    ----------
    key : Key
        From `new_key`.
    path : Path
        A file that is not there yet.

    Raises
    ------
    TablesError
        If it is there, or cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["kind", "dataset", "original", "pseudonym", "shift_s"])
    for person, name in key.subjects.items():
        table.writerow(["subject", "", person, name, key.shifts[person].total_seconds()])
    for (dataset, session), name in key.sessions.items():
        table.writerow(["session", dataset, session, name, ""])
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text.getvalue())
    except OSError as error:
        raise TablesError(f"{path.name}: the key cannot be written ({error.strerror}); name another --key") from error


def _names(letter: str, n: int) -> list[str]:
    """Random names of one length, all different, with enough digits not to look like a count."""
    digits = max(6, len(str(100 * n)))
    found: set[int] = set()
    while len(found) < n:
        found.add(secrets.randbelow(10**digits))
    names = [f"{letter}{number:0{digits}d}" for number in found]
    secrets.SystemRandom().shuffle(names)
    return names


def _shift() -> timedelta:
    """Up to a year in either direction, and never nearly nothing."""
    days = 30 + secrets.randbelow(_DAYS - 30)
    return timedelta(days=days if secrets.randbelow(2) else -days, seconds=secrets.randbelow(86_400))


def _natural(text: str) -> list[tuple[int, int | str]]:
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", text) if part]
