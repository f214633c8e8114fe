"""Files of single sessions that cannot be read any more: the next run writes these sessions again."""

from __future__ import annotations

from pathlib import Path

from cueflow.schemas.tables import TABLES
from cueflow.storage.scan import part_files, session_of


def damaged_sessions(root: Path, dataset: str) -> frozenset[str]:
    """Sessions of which a file is cut, empty or no Parquet: only the ends of the files are read.

    Parameters
    ----------
    root : Path
        TABLES.
    dataset : str
        Name of the dataset.

    Returns
    -------
    frozenset of str
        Their ids.
    """
    files = (path for table in TABLES for path in part_files(root, table, dataset=dataset))
    return frozenset(session_of(path) for path in files if not _readable(path))


def _readable(path: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return not path.exists()  # a session that is being removed right now is not damaged
    return True
