"""Paths of recordings stay inside their dataset."""

from __future__ import annotations

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
        Absolute, symbolic links followed.

    Raises
    ------
    StreamError
        If it leaves the folder (also through a symbolic link), is not there, is not a file, or is empty.
    """
    parts = PurePosixPath(relative.replace("\\", "/"))
    if not relative or parts.is_absolute() or ".." in parts.parts or ":" in (parts.parts or ("",))[0]:
        raise StreamError(
            "the path leaves the dataset's folder: write it relative to the folder", reason=Reason.PATH_OUTSIDE
        )
    base = root.resolve()
    path = (base / parts).resolve()
    if not path.is_relative_to(base):
        raise StreamError(
            "the path leaves the dataset's folder through a symbolic link: copy the file into the folder",
            reason=Reason.PATH_OUTSIDE,
        )
    if not path.is_file():
        raise StreamError(f"{parts.name}: the file is not there", reason=Reason.FILE_MISSING)
    if path.stat().st_size == 0:
        raise StreamError(f"{parts.name}: the file is empty", reason=Reason.FILE_EMPTY)
    return path
