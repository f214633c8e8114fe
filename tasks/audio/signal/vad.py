"""Voice activity: a small recurrent network over 32 ms frames, then hysteresis.

Quiet recordings: the network is not independent of gain (recall falls to .7 on distant microphones), and the peak of a
whole recording is not known while it streams. So every chunk of 20 s is scaled by the loudest level known so far, its
own included, which forgets with a half-life of some minutes; the gain is limited, so that an empty room stays empty.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.tasks.audio.signal.stream import HOP

WINDOW = 512  # samples a decision
_PAST = 64  # samples of context that the network sees before its window
_STATE = (1, 1, 128)
_TARGET_PEAK = 0.9
_GAIN_MAX = 32.0  # 30 dB
_CLEAR_DB = 15.0  # over the noise: from here on the level tells where speech begins
_EDGE_SHARE = 0.2
_REACH = 15  # frames
_MEMORY = 0.95  # of the level, per chunk: a half-life of 4.6 min


class VoiceDetector:
    """Speech probability of every 32 ms, frame by frame equal however the stream is cut.

    Parameters
    ----------
    model : Path
        silero-vad 6.2.3, `silero_vad_16k_sequence.onnx`.

    Raises
    ------
    ModelError
        If the file is not there or is not that network.
    """

    def __init__(self, model: Path) -> None:
        self._session = _open(model)
        self._h = np.zeros(_STATE, dtype=np.float32)
        self._c = np.zeros(_STATE, dtype=np.float32)
        self._waiting = np.zeros(_PAST, dtype=np.float32)  # context and samples that do not fill a window yet

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of the windows that these samples complete.

        Parameters
        ----------
        samples : ndarray, shape (n,)
            The next samples at 16 kHz.

        Returns
        -------
        ndarray, shape (m,)
            One probability per complete window of 512 samples.
        """
        held = np.concatenate([self._waiting, np.asarray(samples, dtype=np.float32)])
        count = (len(held) - _PAST) // WINDOW
        self._waiting = held[count * WINDOW :]
        if count < 1:
            return np.empty(0, dtype=np.float32)
        rows = np.lib.stride_tricks.sliding_window_view(held, _PAST + WINDOW)[::WINDOW][:count]
        probs, self._h, self._c = self._session.run(
            None, {"input": np.ascontiguousarray(rows), "h": self._h, "c": self._c}
        )
        return np.asarray(probs, dtype=np.float32).reshape(-1)

    def finish(self) -> NDArray[np.float32]:
        """Probability of the last, incomplete window, filled up with silence.

        Returns
        -------
        ndarray, shape (0,) or (1,)
        """
        missing = -(len(self._waiting) - _PAST) % WINDOW
        return self.feed(np.zeros(missing, dtype=np.float32))


def _open(model: Path) -> Any:  # noqa: ANN401 - onnxruntime has no types
    import onnxruntime

    if not model.is_file():
        raise ModelError(f"{model.name} is not there; pull the models first (cueflow models pull)")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    if [i.name for i in session.get_inputs()] != ["input", "h", "c"]:
        raise ModelError(f"{model.name} is not the voice activity network; pull the models again (cueflow models pull)")
    return session


class Leveller:
    """Scale chunks to one peak level, by what was loudest so far; `level` is that peak, re full scale."""

    def __init__(self) -> None:
        self.level = 0.0

    def __call__(self, core: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scaled samples.

        Parameters
        ----------
        core : ndarray, shape (n,)
            Samples of the next chunk.

        Returns
        -------
        ndarray, shape (n,)
            Clipped to -1 to 1 where a click exceeds the level.
        """
        if len(core):
            # a click is shorter than a thousandth of a chunk: it must not set the gain
            self.level = max(self.level * _MEMORY, float(np.quantile(np.abs(core), 0.999)))
        gain = min(_TARGET_PEAK / max(self.level, 1e-9), _GAIN_MAX)
        return np.asarray(np.clip(core * np.float32(gain), -1.0, 1.0), dtype=np.float32)


def on_frames(probabilities: NDArray[np.float32], n_frames: int) -> NDArray[np.float32]:
    """Probabilities of 32 ms windows on the grid of 10 ms frames.

    Parameters
    ----------
    probabilities : ndarray, shape (m,)
        One per window of 512 samples, from sample 0.
    n_frames : int
        Frames of 160 samples.

    Returns
    -------
    ndarray, shape (n_frames,)
        That of the window in which the frame's middle lies; 0 beyond the last.
    """
    index = (np.arange(n_frames) * HOP + HOP // 2) // WINDOW
    padded = np.append(probabilities, np.float32(0.0))
    return np.asarray(padded[np.minimum(index, len(probabilities))])


def speech_frames(
    probability: NDArray[np.float32], *, threshold: float, speech_min: int = 20, silence_min: int = 10, delay: int = 3
) -> NDArray[np.bool_]:
    """Hysteresis: speech starts at the threshold and ends when the probability stays below threshold - .15.

    Parameters
    ----------
    probability : ndarray, shape (n,)
        Of the 10 ms frames.
    threshold : float
        Probability at which speech starts.
    speech_min, silence_min : int, optional
        Frames below which a stretch of speech is dropped and a silence is closed.
    delay : int, optional
        Frames that the network answers late, at either end: one of its windows (median 20 ms over 26 hand-marked ends,
        60 ms over synthetic speech).

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    low = probability >= max(threshold - 0.15, 0.01)
    kept = np.zeros(len(probability), dtype=bool)
    for first, last in runs(low):
        above = probability[first:last] >= threshold
        if above.any():
            kept[first + int(np.argmax(above)) : last] = True
    for first, last in runs(~kept):
        if first > 0 and last < len(kept) and last - first < silence_min:
            kept[first:last] = True
    wide = np.zeros(len(kept), dtype=bool)
    for first, last in runs(kept):
        if last - first >= speech_min:
            wide[max(first - delay, 0) : max(last - delay, 0)] = True
    return wide


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of True as half-open index pairs.

    Parameters
    ----------
    flags : ndarray of bool, shape (n,)
        Any flags.

    Returns
    -------
    list of tuple of int
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def sharpened(
    speech: NDArray[np.bool_], power: NDArray[np.float32], lost: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Move both ends of every stretch of speech to where the level rises out of the noise and falls back.

    The network decides every 32 ms and with some delay. Within 150 ms of its ends, speech begins with the first of
    three frames above a fifth of the way (in dB) from the recording's noise to the stretch's own level, and ends behind
    the last one. Where the stretch is less than 15 dB above the noise, the ends stay.

    Parameters
    ----------
    speech : ndarray of bool, shape (n,)
        Frames with speech, from `speech_frames`.
    power : ndarray, shape (n,)
        Mean squares of the frames.
    lost : ndarray of bool, shape (n,), optional
        Frames that were not recorded: they are no noise.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    silent = ~speech if lost is None else ~(speech | lost)
    if not silent.any() or not speech.any():
        return speech
    level = 10.0 * np.log10(np.maximum(power.astype(np.float64), 1e-12))
    noise = float(np.median(level[silent]))
    out = np.zeros(len(speech), dtype=bool)
    for first, last in runs(speech):
        loud = float(np.quantile(level[first:last], 0.8))
        if loud - noise >= _CLEAR_DB:
            above = level > noise + _EDGE_SHARE * (loud - noise)
            first, last = (
                _edge(above, first, reach=_REACH),
                len(above) - _edge(above[::-1], len(above) - last, reach=_REACH),
            )
        out[first : max(last, first)] = True
    return out


def _edge(above: NDArray[np.bool_], at: int, *, reach: int) -> int:
    """First of three frames in a row above, within reach of a start; the start itself where there are none."""
    low = max(at - reach, 0)
    near = above[low : at + reach + 2]
    held = near[:-2] & near[1:-1] & near[2:]
    return low + int(held.argmax()) if held.any() else at
