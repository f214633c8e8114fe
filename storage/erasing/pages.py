"""Pages that were made from the tables: where they went, and their removal when they name somebody who leaves."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

from cueflow.storage.atomic import replace_bytes
from cueflow.storage.erasing.removal import pattern_of
from cueflow.storage.layout import state_dir

_KINDS = frozenset({".html", ".csv", ".json"})


def remember_pages(root: Path, folder: Path) -> None:
    """Note a folder of pages, as seen from TABLES; where TABLES may only be read, nothing is noted.

    Parameters
    ----------
    root, folder : Path
        TABLES and the pages.
    """
    known = _known(root)
    place = os.path.relpath(folder.resolve(), root.resolve())
    if place not in known and os.access(state_dir(root), os.W_OK):
        _remember(root, {*known, place})


def pages_that_name(root: Path, ids: Sequence[str], more: Sequence[Path] = ()) -> list[Path]:
    """Pages that name somebody.

    Parameters
    ----------
    root : Path
        TABLES.
    ids : sequence of str
        Subject and session ids.
    more : sequence of Path
        Further folders of pages.

    Returns
    -------
    list of Path
    """
    if not ids:
        return []
    named = re.compile(pattern_of([*ids, *map(html.escape, ids)]).encode())
    return [path for path in _pages(root, more) if named.search(path.name.encode()) or named.search(path.read_bytes())]


def _pages(root: Path, more: Sequence[Path]) -> Iterator[Path]:
    folders = {(root / place).resolve() for place in _known(root)} | {folder.resolve() for folder in more}
    for folder in sorted(folders):
        if folder.is_dir():
            yield from sorted(p for p in folder.iterdir() if p.suffix in _KINDS and p.is_file())


def _remember(root: Path, places: Iterable[str]) -> None:
    # Its dots would look like a session that is called "..".
    said = [quote(place, safe="/ ").replace(".", "%2E") for place in sorted(places)]
    replace_bytes(_list_path(root), json.dumps(said).encode())


def _known(root: Path) -> list[str]:
    try:
        known = json.loads(_list_path(root).read_bytes())
    except (OSError, ValueError):
        return []
    return [unquote(place) for place in known if isinstance(place, str)] if isinstance(known, list) else []


def _list_path(root: Path) -> Path:
    return state_dir(root) / "pages.json"
