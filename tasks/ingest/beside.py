"""What else a recording's values depend on than its own file: headers, sidecars and buttons beside it, packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cueflow.tasks.ingest.formats.sidecars import PHYSIO, sidecars_of

_WFDB = (".hea", ".dat", ".mat")
_E4 = frozenset({"ACC.csv", "BVP.csv", "EDA.csv", "IBI.csv", "TEMP.csv"})
_PACKAGES = {".acq": "bioread", ".avro": "fastavro", ".zip": "fastavro"}


def files_beside(root: Path, recording: str) -> tuple[str, ...]:
    """Files that are read with a recording of physiology.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    recording : str
        Path of the recording, relative to it.

    Returns
    -------
    tuple of str
        Relative paths of those that are there: the sidecars of BIDS physio, header and samples of WFDB, the marks of an
        E4 export.
    """
    path = root / recording
    if path.name.endswith(PHYSIO):
        found = sidecars_of(path)
    elif path.suffix.lower() in _WFDB:
        found = [path.with_suffix(suffix) for suffix in _WFDB if suffix != path.suffix.lower()]
    else:
        found = [path.with_name("tags.csv")] if path.name in _E4 else []
    return tuple(str(f.relative_to(root)) for f in found if f.is_relative_to(root) and f.is_file())


def package_of(recording: str) -> str:
    """The optional package that reads a recording, with its version.

    Parameters
    ----------
    recording : str
        Path of the recording.

    Returns
    -------
    str
        Empty for formats that need none; the name alone where it is not installed.
    """
    name = _PACKAGES.get(Path(recording).suffix.lower(), "")
    try:
        return f"{name}=={version(name)}" if name else ""
    except PackageNotFoundError:
        return name
