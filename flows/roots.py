"""Folders that flows may name: as ROOT or ROOT/below/it, never as a path of the machine.

So a form reaches nothing but what whoever runs the worker named in CUEFLOW_ROOTS, and Prefect's records hold no paths.
Without that variable nothing may be named at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cueflow.schemas.errors import ConfigError

ROOTS = "CUEFLOW_ROOTS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_given: list[Mapping[str, Path]] = []


def allowed(name: str) -> Path:
    """The folder or file that a form names, if it may be used.

    Parameters
    ----------
    name : str
        Name of a root, or a path below one: `cohort`, `cohort/2026/labels.csv`.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    ConfigError
        If there is no such root, or the path leads out of it.
    """
    roots = known_roots()
    first, _, below = name.strip().partition("/")
    if first not in roots:
        known = f"known here: {', '.join(sorted(roots))}" if roots else f"none is set: see {ROOTS}"
        raise ConfigError(f"A folder is named by a root of this worker, as ROOT or ROOT/below/it ({known}).")
    root = roots[first].resolve()
    found = (root / below).resolve()
    if not found.is_relative_to(root):
        raise ConfigError(f"A path leads out of the root {first!r}: only what lies in it may be used.")
    return found


def optional(name: str) -> Path | None:
    """`allowed`, where an empty field means none."""
    return allowed(name) if name.strip() else None


def known_roots() -> Mapping[str, Path]:
    """Roots by name: those given by `rooted`, otherwise those of the environment."""
    return _given[-1] if _given else parse_roots(os.environ.get(ROOTS, ""))


@contextmanager
def rooted(roots: Mapping[str, Path]) -> Iterator[None]:
    """Let flows inside name these folders, whatever the environment says."""
    _given.append(roots)
    try:
        yield
    finally:
        _given.pop()


def parse_roots(text: str) -> dict[str, Path]:
    """Roots as CUEFLOW_ROOTS has them: `cohort=/data/cohort, tables=/data/tables`.

    Parameters
    ----------
    text : str
        Separated by commas or lines; where no name is given it is the last part of the path.

    Returns
    -------
    dict
        Name to absolute path.

    Raises
    ------
    ConfigError
        If a path is not absolute, or a name is odd or stands twice.
    """
    found: dict[str, Path] = {}
    for entry in (part.strip() for line in text.splitlines() for part in line.split(",")):
        if not entry:
            continue
        named, equals, path = entry.partition("=")
        where = Path(path.strip() if equals else named).expanduser()
        name = named.strip() if equals else where.name
        if not where.is_absolute() or not _NAME.fullmatch(name):
            raise ConfigError(f"{ROOTS} wants NAME=/absolute/path, separated by commas; names of letters, digits, . _")
        if name in found:
            raise ConfigError(f"{ROOTS} names {name!r} twice: write NAME=/absolute/path with another name.")
        found[name] = where
    return found


def root_text(roots: Mapping[str, Path]) -> str:
    """Roots as the environment of a worker wants them; `parse_roots` reads them.

    Parameters
    ----------
    roots : mapping
        Name to absolute path.

    Returns
    -------
    str

    Raises
    ------
    ConfigError
        If a path has a comma or line break, which the variable cannot hold.
    """
    if any(set(str(path)) & set(",\r\n") for path in roots.values()):
        raise ConfigError("A folder that a form may name has a comma in its path: rename it, or name one above it.")
    return ",".join(f"{name}={path}" for name, path in roots.items())
