"""EDF and BDF signals; nothing of the header but rate, unit and label leaves this module."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.ingest.signals import Raw


def read_edf(path: Path, channel: str) -> Raw:
    """Read one signal of an EDF, EDF+C or BDF file.

    Parameters
    ----------
    path : Path
        The file.
    channel : str
        Label of the signal, compared without outer spaces and case; empty where there is only one.

    Returns
    -------
    Raw
        In physical units, with the file's own rate.

    Raises
    ------
    refusal
        A `StreamError` where the file is damaged or discontinuous; also where it has no such signal.
    """
    import pyedflib

    try:
        reader = pyedflib.EdfReader(str(path))
    except OSError as error:
        raise refusal(path, str(error)) from error
    with reader:
        labels = [label.strip() for label in reader.getSignalLabels()]
        index = index_of(path, labels, channel.strip())
        values = np.asarray(reader.readSignal(index), dtype=np.float64)
        return Raw(
            values,
            sampling_rate=float(reader.getSampleFrequency(index)),
            unit=reader.getPhysicalDimension(index).strip(),
        )


def index_of(path: Path, labels: list[str], channel: str) -> int:
    """Number of the signal with this label.

    Raises
    ------
    StreamError
        If there is none, or more than one.
    """
    matches = [i for i, label in enumerate(labels) if label.lower() == channel.lower()]
    if not channel and len(labels) == 1:
        return 0
    if len(matches) != 1:
        asked = f"no signal {channel!r}" if not matches else f"{len(matches)} signals are called {channel!r}"
        message = f"{path.name}: {asked}; it has {', '.join(labels)[:200]}"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    return matches[0]


def refusal(path: Path, said: str) -> StreamError:
    """The typed error for what the library says about a file, without its path."""
    if "discontinuous" in said.lower():
        return StreamError(f"{path.name}: discontinuous EDF+D is not read yet", reason=Reason.FORMAT_UNKNOWN)
    if "size" in said.lower():
        return StreamError(f"{path.name}: the file ends before its header says", reason=Reason.FILE_TRUNCATED)
    return StreamError(f"{path.name}: not a readable EDF or BDF file", reason=Reason.FILE_UNREADABLE)
