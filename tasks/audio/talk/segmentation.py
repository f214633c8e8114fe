"""Who speaks within 10 s: a network that follows up to three people at once and knows when two of them speak."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.tasks.audio.signal.stream import HOP

F32 = NDArray[np.float32]

SPAN = 1000  # frames of 10 ms in a window
STEP = 500  # frames between windows: every frame is looked at twice
PLACES = 3  # people that a window can hold
_CLASSES = 1 + PLACES + 3  # nobody, one of three, two of three
_FIRST, _EVERY = 495.5, 270.0  # samples: middle of the network's first frame, and from one to the next


@dataclass(frozen=True, slots=True)
class LocalTalk:
    """Who speaks in windows of 10 s; the three places of a window are people, but which ones, only the window knows.

    `starts` (m,) in frames of 10 ms; in 255ths, the probability `alone` (m, 1000, 3) that the one in a place speaks and
    nobody else does, and `both` (m, 1000) that two do.
    """

    starts: NDArray[np.int64]
    alone: NDArray[np.uint8]
    both: NDArray[np.uint8]


class SegmentationCollector:
    """Takes the recording chunk by chunk and keeps who speaks in every window.

    Parameters
    ----------
    model : Path
        pyannote's segmentation-3.0, `segmentation-3.0.onnx`.

    Raises
    ------
    ModelError
        If the file is not there or is not that network.

    References
    ----------
    Plaquet and Bredin (2023), Powerset multi-class cross entropy loss for neural speaker diarization,
    doi:10.21437/Interspeech.2023-205
    """

    def __init__(self, model: Path) -> None:
        self._session = _open(model)
        self._held = np.empty(0, dtype=np.float32)
        self._first = 0
        self._starts: list[int] = []
        self._found: list[NDArray[np.uint8]] = []

    def feed(self, samples: F32) -> None:
        """Take the next samples at 16 kHz, shape (n,)."""
        self._held = np.concatenate([self._held, samples])
        while len(self._held) >= SPAN * HOP:
            self._look(self._held[: SPAN * HOP])
            self._held = self._held[STEP * HOP :]
            self._first += STEP

    def finish(self) -> LocalTalk:
        """All windows; the last one, which the recording does not fill, is filled up with silence."""
        if len(self._held) > (SPAN - STEP) * HOP or not self._found:
            self._look(np.pad(self._held, (0, SPAN * HOP - len(self._held))))
        found = np.stack(self._found)
        return LocalTalk(np.asarray(self._starts, dtype=np.int64), found[..., :PLACES], found[..., PLACES])

    def _look(self, samples: F32) -> None:
        logs = self._session.run(None, {"input": samples[None, None]})[0][0]
        middles = (np.arange(SPAN) + 0.5) * HOP
        nearest = np.clip(np.rint((middles - _FIRST) / _EVERY), 0, len(logs) - 1).astype(np.int64)
        self._starts.append(self._first)
        chances = np.exp(logs[nearest, 1:])
        kept = np.column_stack([chances[:, :PLACES], chances[:, PLACES:].sum(axis=1)])
        self._found.append(np.rint(255.0 * np.minimum(kept, 1.0)).astype(np.uint8))


def _open(model: Path) -> Any:  # noqa: ANN401 - onnxruntime has no types
    import onnxruntime

    if not model.is_file():
        raise ModelError(f"{model.name} is not there; pull the models first (cueflow models pull)")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    if [i.name for i in session.get_inputs()] != ["input"] or session.get_outputs()[0].shape[-1] != _CLASSES:
        raise ModelError(f"{model.name} is not the speaker network; pull the models again (cueflow models pull)")
    return session
