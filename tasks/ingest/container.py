"""Open a media file with PyAV and turn its errors into typed ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason

# Only these demultiplexers, and only files: a text file called .mp4 may otherwise be a playlist that opens others.
_FORMATS = "mov,matroska,avi,wav,w64,flac,mp3,ogg,aac,aiff,au,caf,amr,asf,flv,mpeg,mpegts"
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
_INDEXED = frozenset({".mp4", ".mov", ".m4a", ".m4v", ".3gp"})
_BOXES = frozenset({b"ftyp", b"mdat", b"wide", b"free", b"skip", b"moov", b"pnot"})
_GUESSED = frozenset({"mp3", "aac", "ogg", "amr", "mpeg", "mpegts", "flv"})  # their duration is an estimate
_HEAD = 4096
_TEXT_BELOW = 9  # bytes below the tabulator do not occur in text


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

    try:
        container = av.open(str(path), mode="r", metadata_errors="ignore", options=_OPTIONS)
    except (av.error.FFmpegError, UnicodeDecodeError, ValueError) as error:
        raise unreadable(path) from error
    try:
        yield container
    finally:
        container.close()


def decoded_frames(container: Any, track: Any) -> Iterator[Any]:  # noqa: ANN401 - PyAV has no stubs
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
    """Duration of a track in s as the header gives it, or estimates it; None where it gives none."""
    if track.duration:
        return float(track.duration * track.time_base)
    tagged = _tagged(track.metadata.get("DURATION", "")) or _counted(container, track)
    if tagged is not None:
        return tagged
    return container.duration / 1e6 if container.duration else None


def promised_s(path: Path, container: Any, track: Any) -> float | None:  # noqa: ANN401 - PyAV has no stubs
    """Duration that a whole file of this header would have, s.

    Parameters
    ----------
    path : Path
        The file.
    container : av.container.InputContainer
        From `opened`.
    track : av.stream.Stream
        One of its streams.

    Returns
    -------
    float or None
        None where the header does not count (Ogg, MP3 without a Xing header, MPEG streams), or counts for several
        tracks together.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    duration = duration_of(container, track)
    if duration is None:
        return None
    if (counted := _counted(container, track)) is not None:
        return counted
    if head[:4] == b"RIFF":
        return duration / min(_riff_share(head, path.stat().st_size), _data_share(path))
    if container.format.name in _GUESSED:
        return duration if any(mark in head for mark in (b"Xing", b"Info", b"VBRI")) else None
    alone = len(container.streams) == 1
    return duration if alone or track.duration or _tagged(track.metadata.get("DURATION", "")) is not None else None


def _counted(container: Any, track: Any) -> float | None:  # noqa: ANN401 - PyAV has no stubs
    """Duration of an AVI's track, whose header counts the track's own frames or samples; None for another file."""
    if container.format.name != "avi" or not track.frames:
        return None
    return float(track.frames * track.time_base)


def _riff_share(head: bytes, size: int) -> float:
    # FFmpeg takes the length of WAV and AVI from the file's size; the header says what the recorder wrote
    said = int.from_bytes(head[4:8], "little")
    if said in {0, 0xFFFFFFFF} or size - 8 >= said:
        return 1.0
    return max(size - 8, 1) / said


def _data_share(path: Path) -> float:
    """Share of a WAV file's samples, as its header counts them, that the file has; 1 for any other file."""
    size = path.stat().st_size
    for name, place, length in _chunks(path):
        if name == b"data" and length not in {0, 0xFFFFFFFF}:
            return min(max(size - place, 1) / length, 1.0)
    return 1.0


def _chunks(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Names, places and lengths of a WAV file's chunks, as far as the lengths lead; nothing of another file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        place = 12
        while place + 8 <= size:
            file.seek(place)
            name, length = file.read(4), int.from_bytes(file.read(4), "little")
            yield name, place + 8, length
            place += 8 + length + length % 2


def unread_bytes(path: Path) -> int:
    """Bytes of a WAV file after its last chunk that no header speaks of; 0 for any other file.

    A recorder that died, or a tool that joined files, leaves a header that says less than there is; FFmpeg reads that.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    int
    """
    size = path.stat().st_size
    for name, place, length in _chunks(path):
        if name == b"data" and not length:
            return 0  # a recorder that wrote to a pipe: FFmpeg reads to the end
        if not all(32 <= byte < 127 for byte in name):
            return size - place + 8
    return 0


def _tagged(text: str) -> float | None:
    parts = text.split(":")
    if len(parts) != 3 or not text.replace(":", "").replace(".", "", 1).isdigit():
        return None
    hours, minutes, seconds = (float(part or 0) for part in parts)
    return 3600 * hours + 60 * minutes + seconds


def is_cover(track: Any) -> bool:  # noqa: ANN401 - PyAV has no stubs
    """Sound files carry their cover as a video of one picture."""
    from av.stream import Disposition

    return bool(track.disposition & Disposition.attached_pic)


def unreadable(path: Path) -> StreamError:
    """The typed error for a file that does not open: cut off, text, or something else.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    StreamError
        FILE_EMPTY, FILE_TRUNCATED where the start is right and the index is missing, else FILE_UNREADABLE.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return StreamError("the file is empty: copy it again from the recorder", reason=Reason.FILE_EMPTY)
    if path.suffix.lower() in _INDEXED and head[4:8] in _BOXES:
        message = (
            "the file is cut off, its index (moov) is missing: copy it again, or repair it with the recorder's tool"
        )
        return StreamError(message, reason=Reason.FILE_TRUNCATED)
    if head[:4] in {b"OggS", b"fLaC", b"RIFF", b"\x1aE\xdf\xa3"}:
        message = "the file is cut off or damaged at its start: copy it again"
        return StreamError(message, reason=Reason.FILE_TRUNCATED)
    if is_text(head):
        message = "this is text and not a recording: check the path in the manifest"
        return StreamError(message, reason=Reason.FILE_UNREADABLE)
    message = "not a recording that can be decoded: copy it again or convert it"
    return StreamError(message, reason=Reason.FILE_UNREADABLE)


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are text."""
    return bool(head) and not any(byte < _TEXT_BELOW for byte in head)
