"""Open a media file with PyAV and turn its errors into typed ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a media file for reading.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    av.container.InputContainer
        Of a file with at least one track.

    Raises
    ------
    unreadable
        A `StreamError` where the file is not media, or its header is cut off.
    """
    import av

    av.logging.set_level(av.logging.PANIC)  # the library would print file names
    try:
        container = av.open(str(path), mode="r", metadata_errors="ignore")
    except (av.error.FFmpegError, UnicodeDecodeError, ValueError) as error:
        raise unreadable(path) from error
    try:
        yield container
    finally:
        container.close()


def packets_of(container: Any, track: Any) -> Iterator[Any]:  # noqa: ANN401 - PyAV has no stubs
    """Decode a track frame by frame; damaged packets are skipped, as players do.

    Parameters
    ----------
    container : av.container.InputContainer
        From `opened`.
    track : av.stream.Stream
        One of its streams.

    Yields
    ------
    av.frame.Frame
    """
    import av

    packets = container.demux(track)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:
            return  # the file ends inside a packet: how much is missing shows in the length
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        yield from frames


def duration_of(container: Any, track: Any) -> float | None:  # noqa: ANN401 - PyAV has no stubs
    """Duration that the header gives for a track, in s; None where it gives none."""
    if track.duration:
        return float(track.duration * track.time_base)
    return container.duration / 1e6 if container.duration else None


def unreadable(path: Path) -> StreamError:
    """The typed error for a file that does not open: cut off, text, or something else."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head and path.suffix.lower() in {".mp4", ".mov", ".m4a"} and head[4:8] == b"ftyp":
        message = f"{path.name}: the file is cut off (its index is missing): copy it again"
        return StreamError(message, reason=Reason.FILE_TRUNCATED)
    if head and not any(byte < 9 for byte in head):
        return StreamError(f"{path.name}: this is text, not a recording", reason=Reason.FILE_UNREADABLE)
    return StreamError(f"{path.name}: not a recording that can be decoded", reason=Reason.FILE_UNREADABLE)
