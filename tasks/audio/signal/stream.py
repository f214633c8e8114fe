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
_BLOCKER_HZ = 10.0  # offsets and drifts of the sound card lie below; the lowest voice lies far above


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the recording with what lies around it.

    `samples` (CONTEXT + n + CONTEXT,) at 16 kHz without offset, zero beyond the recording's ends; `raw` (n,) the core
    as it was read; `first_frame` the index of the core's first 10 ms frame; `n_frames` whole frames in the core.
    """

    samples: NDArray[np.float32]
    raw: NDArray[np.float32]
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
        Mono samples at 16 kHz, in -1 to 1, of any block length. Values that are not finite count as silence.

    Yields
    ------
    Chunk
        In order; the last one is shorter. At most two chunks are held at a time.

    Raises
    ------
    StreamError
        After the last chunk: NO_AUDIO_SAMPLES if no value was finite.
    """
    blocker = _OffsetBlocker()
    past = np.zeros(CONTEXT, dtype=np.float32)
    raw, clean = np.empty(0, dtype=np.float32), np.empty(0, dtype=np.float32)
    first, heard = 0, False
    for block in blocks:
        given = np.asarray(block, dtype=np.float32).ravel()
        heard = heard or bool(np.isfinite(given).any())
        fresh = np.nan_to_num(given, nan=0.0, posinf=0.0, neginf=0.0)
        raw, clean = np.concatenate([raw, fresh]), np.concatenate([clean, blocker(fresh)])
        while len(raw) >= CORE + CONTEXT:
            yield Chunk(np.concatenate([past, clean[: CORE + CONTEXT]]), raw[:CORE], first, CORE // HOP)
            past = clean[CORE - CONTEXT : CORE]
            raw, clean, first = raw[CORE:], clean[CORE:], first + CORE // HOP
    while len(raw):
        n = min(CORE, len(raw))
        after = np.zeros(CONTEXT, dtype=np.float32)
        rest = clean[n : n + CONTEXT]
        after[: len(rest)] = rest
        yield Chunk(np.concatenate([past, clean[:n], after]), raw[:n], first, n // HOP)
        past = clean[n - CONTEXT : n]
        raw, clean, first = raw[n:], clean[n:], first + n // HOP
    if first and not heard:
        message = "no sample of the recording is a number: export it again"
        raise StreamError(message, reason=Reason.NO_AUDIO_SAMPLES)


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
