"""Blocks of any length become chunks of one length with context, so that values never depend on the reader's blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason

RATE_HZ = 16_000
HOP = 160  # samples between frames: 10 ms
FRAME_S = HOP / RATE_HZ
CORE = 2048 * HOP  # 20.48 s: a whole number of 10 ms frames and of the voice detector's 32 ms frames
CONTEXT = 64 * HOP  # .64 s on either side: half a second for the pitch path to settle, and half the longest window
BRIDGED = HOP  # samples: over a gap of up to 10 ms goes a straight line, over a longer one the last value
_BLOCKER_HZ = 10.0  # offsets and drifts of the sound card lie below; the lowest voice lies far above


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the recording with what lies around it.

    `samples` (CONTEXT + n + CONTEXT,) at 16 kHz without offset, zero beyond the recording's ends; `raw` (n,) the core
    as it was read, `gone` (n,) where it was no number and is filled; `first_frame` the index of the core's first 10 ms
    frame; `n_frames` whole frames in the core.
    """

    samples: NDArray[np.float32]
    raw: NDArray[np.float32]
    gone: NDArray[np.bool_]
    first_frame: int
    n_frames: int

    @property
    def core(self) -> NDArray[np.float32]:
        """The samples without context."""
        return self.samples[CONTEXT : CONTEXT + len(self.raw)]


def chunks(blocks: Iterable[NDArray[np.float32]]) -> Iterator[Chunk]:
    """Cut a stream into chunks of 20.48 s with half a second of context on either side.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n,)
        Mono samples at 16 kHz, in -1 to 1, of any block length. Values that are not finite were not recorded: they are
        filled, so that no click stands there, and marked.

    Yields
    ------
    Chunk
        In order; the last one is shorter. At most two chunks are held at a time.

    Raises
    ------
    StreamError
        After the last chunk: NO_AUDIO_SAMPLES if no value was finite.
    """
    past = np.zeros(CONTEXT, dtype=np.float32)
    raw, clean = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.float32)
    gone = np.empty(0, dtype=np.bool_)
    first, heard = 0, False
    for fresh, flags, settled in _settled(blocks):
        heard = heard or not flags.all()
        raw, clean = np.concatenate([raw, fresh]), np.concatenate([clean, settled])
        gone = np.concatenate([gone, flags])
        while len(raw) >= CORE + CONTEXT:
            yield Chunk(np.concatenate([past, clean[: CORE + CONTEXT]]), raw[:CORE], gone[:CORE], first, CORE // HOP)
            past = clean[CORE - CONTEXT : CORE]
            raw, clean, gone, first = raw[CORE:], clean[CORE:], gone[CORE:], first + CORE // HOP
    while len(raw):
        n = min(CORE, len(raw))
        after = np.zeros(CONTEXT, dtype=np.float32)
        rest = clean[n : n + CONTEXT]
        after[: len(rest)] = rest
        yield Chunk(np.concatenate([past, clean[:n], after]), raw[:n], gone[:n], first, n // HOP)
        past = clean[n - CONTEXT : n]
        raw, clean, gone, first = raw[n:], clean[n:], gone[n:], first + n // HOP
    if first and not heard:
        message = "no sample of the recording is a number: export it again"
        raise StreamError(message, reason=Reason.NO_AUDIO_SAMPLES)


def _settled(
    blocks: Iterable[NDArray[np.float32]],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]]:
    """Samples with their gaps filled, where those were, and the samples without offset."""
    filler, blocker = _GapFiller(), _OffsetBlocker()
    for block in blocks:
        fresh, flags = filler(np.asarray(block, dtype=np.float32).ravel())
        yield fresh, flags, blocker(fresh)
    fresh, flags = filler.rest()
    yield fresh, flags, blocker(fresh)


class _GapFiller:
    """Fills what is no number, however the stream is cut: a gap's end is waited for until it is too long for a line."""

    def __init__(self) -> None:
        self._before: float | None = None  # the last number
        self._waiting = 0  # samples of a gap that may still be short
        self._long = False  # whether the stream stands in a gap that is not

    def __call__(self, block: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        given = np.concatenate([np.full(self._waiting, np.nan, dtype=np.float32), block])
        numbers = np.isfinite(given)
        if numbers.all():
            if len(given):
                self._before, self._long = float(given[-1]), False
            return given, ~numbers
        last = int(np.flatnonzero(numbers)[-1]) + 1 if numbers.any() else 0
        values = given.copy()
        gaps = np.flatnonzero(~numbers[:last])
        for gap in np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1) if len(gaps) else ():
            self._fill(values, int(gap[0]), int(gap[-1]) + 1)
        if last:
            self._before, self._long = float(given[last - 1]), False
        open_ = len(given) - last
        self._long = open_ > 0 and (self._long or open_ > BRIDGED)
        self._waiting = 0 if self._long else open_
        values[last:] = self._before or 0.0
        return values[: len(given) - self._waiting], ~numbers[: len(given) - self._waiting]

    def rest(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The end of the stream, where it is a gap."""
        n, self._waiting = self._waiting, 0
        return np.full(n, self._before or 0.0, dtype=np.float32), np.ones(n, dtype=np.bool_)

    def _fill(self, values: NDArray[np.float32], first: int, end: int) -> None:
        after = float(values[end])
        before = (after if self._before is None else self._before) if first == 0 else float(values[first - 1])
        if (first == 0 and self._long) or end - first > BRIDGED:
            values[first:end] = before
        else:
            values[first:end] = np.linspace(before, after, end - first + 2)[1:-1]


class _OffsetBlocker:
    """First-order high-pass at 10 Hz that carries its state and starts as if the first sample had always been."""

    def __init__(self) -> None:
        from scipy.signal import butter, lfilter_zi

        self._b, self._a = butter(1, _BLOCKER_HZ, "highpass", fs=RATE_HZ)
        self._settled = lfilter_zi(self._b, self._a)
        self._state: NDArray[np.float64] | None = None

    def __call__(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        from scipy.signal import lfilter

        if not len(block):
            return block
        if self._state is None:
            self._state = self._settled * float(block[0])
        out, self._state = lfilter(self._b, self._a, block.astype(np.float64), zi=self._state)
        return np.asarray(out, dtype=np.float32)


def frames_of(samples: NDArray[np.float32], length: int, *, n_frames: int, lead: int = 0) -> NDArray[np.float32]:
    """Windows centred on the frames of a chunk, without a copy.

    Parameters
    ----------
    samples : ndarray, shape (CONTEXT + n + CONTEXT,)
        A chunk's samples with context.
    length : int
        Samples per window.
    n_frames : int
        Frames of the core.
    lead : int, optional
        Frames of the context to add on either side.

    Returns
    -------
    ndarray, shape (n_frames + 2 * lead, length)
        Row i is centred on the middle of frame i - lead.
    """
    start = CONTEXT - lead * HOP + HOP // 2 - length // 2
    view = np.lib.stride_tricks.sliding_window_view(samples, length)
    return view[start : start + (n_frames + 2 * lead) * HOP : HOP][: n_frames + 2 * lead]
