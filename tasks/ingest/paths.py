"""Paths of recordings stay inside their dataset."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path, PurePosixPath

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason


def resolve_inside(root: Path, relative: str) -> Path:
    """Resolve the path of a recording, which must be a file with something in it, inside the dataset's folder.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    relative : str
        Path from the manifest, with forward slashes.

    Returns
    -------
    Path
        Absolute. Links inside the folder keep their own name (an annexed BIDS file is linked to a store of hashes).

    Raises
    ------
    StreamError
        PATH_OUTSIDE if it leaves the folder (also through a symbolic link), FILE_MISSING if it is not there or is not
        a file, FILE_EMPTY if it holds nothing.
    """
    parts = PurePosixPath(relative.replace("\\", "/"))
    if _leaves(relative, parts):
        message = "the path leaves the dataset's folder: write it relative to the folder"
        raise StreamError(message, reason=Reason.PATH_OUTSIDE)
    base = _real(root)
    try:
        path = base / parts
        target = path.resolve() if _through_link(base, parts) else path
        size = target.stat().st_size if target.is_file() else None
    except (OSError, RuntimeError) as error:  # a name that is too long, a ring of links
        raise StreamError("the path cannot be followed: check its spelling", reason=Reason.FILE_MISSING) from error
    if not target.is_relative_to(base):
        message = "the path leaves the dataset's folder through a symbolic link: copy the file into the folder"
        raise StreamError(message, reason=Reason.PATH_OUTSIDE)
    if size is None:
        for form in ("NFC", "NFD"):  # macOS writes é as two characters, a spreadsheet as one
            if (spelt := unicodedata.normalize(form, relative)) != relative and (base / spelt).is_file():
                return resolve_inside(root, spelt)
        raise StreamError("the file is not there: check the path in the manifest", reason=Reason.FILE_MISSING)
    if size == 0:
        raise StreamError("the file is empty: copy it again from the recorder", reason=Reason.FILE_EMPTY)
    return path


def _leaves(relative: str, parts: PurePosixPath) -> bool:
    first = parts.parts[0] if parts.parts else ""
    return not first or "\0" in relative or parts.is_absolute() or ".." in parts.parts or ":" in first


@lru_cache(maxsize=64)
def _real(root: Path) -> Path:
    """The folder without links; kept, since a run asks for it with every recording and shall read one folder only."""
    return root.resolve()


def _through_link(base: Path, parts: PurePosixPath) -> bool:
    """Whether a part of the path below the real folder is a link: only then does it have to be followed."""
    return any((base / part).is_symlink() for part in (parts, *parts.parents[:-1]))
