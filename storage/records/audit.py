"""The audit log of a folder of tables: a line per query, export, opening and erasure, with the hash of the one before.

A changed, removed or reordered line breaks the chain; a log that was cut at its end is shown by a head that was noted
elsewhere (each certificate of erasure holds one). The log says what was asked, never about whom: texts and numbers in
SQL are replaced by question marks. Who may only read the folder leaves no line.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from cueflow.storage.layout import state_dir

FIRST = "0" * 64
_LAST = 1 << 14  # no line is longer
_LITERAL = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/|\b\d[\d.eE+-]*\b", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Audit:
    """The log as it was read: its lines, the hash of the last one, and the number of the first line that is wrong."""

    entries: tuple[Mapping[str, Any], ...]
    head: str
    broken_at: int | None

    @property
    def sentence(self) -> str:
        """The state of the chain in one sentence."""
        if self.broken_at is not None:
            return f"The audit log was changed: line {self.broken_at} does not follow from the lines before it."
        return f"The audit log is whole: {len(self.entries)} lines, head {self.head[:16]}."


def audit_path(root: Path) -> Path:
    """Where the log of a folder of tables lies."""
    return state_dir(root) / "audit.jsonl"


def record(root: Path, action: str, **facts: object) -> str:
    """Append a line to the log.

    Parameters
    ----------
    root : Path
        TABLES.
    action : str
        query, open, export, report or erasure.
    **facts : object
        What may be said without naming anybody.

    Returns
    -------
    str
        Hash of the new line, or of the last one where the folder may only be read.
    """
    try:
        file = audit_path(root).open("a+b")
    except OSError:  # a folder that may only be read
        return read_audit(root).head
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        entry: dict[str, Any] = {
            "at_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "action": action,
            **facts,
            "previous": _last_hash(file),
        }
        entry["sha256"] = _hash(entry)
        file.write(json.dumps(entry, sort_keys=True).encode() + b"\n")
        return str(entry["sha256"])


def read_audit(root: Path) -> Audit:
    """Read the log and follow its chain.

    Parameters
    ----------
    root : Path
        TABLES.

    Returns
    -------
    Audit
    """
    path = audit_path(root)
    lines = path.read_bytes().splitlines() if path.is_file() else []
    entries: list[dict[str, Any]] = []
    head = FIRST
    for number, line in enumerate(lines, start=1):
        entry = _parsed(line)
        if entry.get("previous") != head or entry.get("sha256") != _hash(entry):
            return Audit(tuple(entries), head, number)
        entries.append(entry)
        head = entry["sha256"]
    return Audit(tuple(entries), head, None)


def shape_of(sql: str) -> str:
    """A question without its texts, numbers and comments: what was asked, not about whom.

    Parameters
    ----------
    sql : str
        SQL.

    Returns
    -------
    str
        At most 500 characters.
    """
    return re.sub(r"\s+", " ", _LITERAL.sub("?", sql)).strip()[:500]


def _last_hash(file: IO[bytes]) -> str:
    end = file.seek(0, 2)
    file.seek(max(0, end - _LAST))
    lines = file.read().splitlines()
    return str(_parsed(lines[-1]).get("sha256", FIRST)) if lines else FIRST


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _hash(entry: Mapping[str, Any]) -> str:
    said = {k: v for k, v in entry.items() if k != "sha256"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
