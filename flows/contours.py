"""Contours of a voice every 10 ms, as a file of its own: too much for the tables, and wanted for few recordings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cueflow.schemas.biomarkers.voice_bands import needs_hz
from cueflow.schemas.errors import TablesError
from cueflow.storage.atomic import disk_errors, replace_bytes
from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.tracks import measure_contours
from cueflow.tasks.ingest.audio import audio_blocks, audio_start_s, probe_audio


def write_contours(recording: Path, out: Path, *, channel: str, progress: Callable[[float], None]) -> int:
    """Write the low-level descriptors of eGeMAPS of one recording.

    Parameters
    ----------
    recording : Path
        Any file with an audio track.
    out : Path
        Parquet file: `t_s` on the file's clock (a video's sound may start late), a column for each contour under its
        published name, as floats; null where a contour of voiced frames has no value.
    channel : str
        `left`, `right` or a number from 0 on; empty: the mean of all.
    progress : callable
        Told the share done.

    Returns
    -------
    int
        Frames written.

    Raises
    ------
    TablesError
        Before anything is read, where `out` is a folder or does not end in .parquet, which no recording does.

    Notes
    -----
    StreamError is raised where the file cannot be read or holds no sound, TablesError or DiskFullError where the disk
    does not take the result. A contour that needs more band than the file's rate leaves room for is null throughout,
    and all are null where samples are missing.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    if out.suffix.lower() != ".parquet" or out.is_dir():
        raise TablesError(f"contours go to a file that ends in .parquet, not to {out.name}: name one")
    header = probe_audio(recording)
    length = header.duration_s or float("inf")
    found = measure_contours(
        audio_blocks(recording, channel=channel),
        progress=lambda seconds: progress(min(seconds / length, 1.0)),
    )
    frames = len(next(iter(found.values())))
    columns = {"t_s": pa.array(audio_start_s(recording) + np.arange(frames) * FRAME_S)}
    for name, values in found.items():
        absent = np.isnan(values) | ((values == 0) & name.endswith("nz"))
        if needs_hz(name) > header.sampling_rate / 2.0:
            absent[:] = True
        columns[name] = pa.array(values.astype(np.float32), mask=absent)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd")
    with disk_errors("writing the contours"):
        replace_bytes(out, bytes(sink.getvalue()))
    return frames
