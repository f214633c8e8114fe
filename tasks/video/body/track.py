"""One row of numbers per look at a body and its hands, built up as the video is decoded."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.body.finder import VISIBLE, Body

PARTS = {
    "nose": 0, "left_ear": 7, "right_ear": 8, "left_shoulder": 11, "right_shoulder": 12, "left_elbow": 13,
    "right_elbow": 14, "left_wrist": 15, "right_wrist": 16, "left_index": 19, "right_index": 20, "left_hip": 23,
    "right_hip": 24,
}  # fmt: skip
TIPS = (4, 8, 12, 16, 20)  # landmarks of a hand that are fingertips


@dataclass(frozen=True, slots=True)
class BodyTrack:
    """A body over time, lengths in shorter sides of the frame.

    `times_s` (n,); `points`: by name of `PARTS` (n, 2), NaN where a part is out of the picture or hidden. `hands_s`
    (m,) are the times at which hands were looked for, `tips`: for "left" and "right" the fingertips (m, 5, 2), NaN
    where no hand was found.
    """

    times_s: FloatArray
    points: dict[str, FloatArray]
    hands_s: FloatArray
    tips: dict[str, FloatArray]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """True where both shoulders were seen, (n,)."""
        shoulders = self.points["left_shoulder"] + self.points["right_shoulder"]
        return np.asarray(np.isfinite(shoulders).all(axis=1))

    def joined(self, other: BodyTrack) -> BodyTrack:
        """Both tracks' looks in order of time; of two at the same time the one that saw more."""
        times, points = _interleaved((self.times_s, self.points), (other.times_s, other.points))
        hands_s, tips = _interleaved((self.hands_s, self.tips), (other.hands_s, other.tips))
        return BodyTrack(times, points, hands_s, tips)

    def only(self, keep: NDArray[np.bool_], hands: NDArray[np.bool_]) -> BodyTrack:
        """The track without some looks."""
        return BodyTrack(
            self.times_s[keep],
            {name: values[keep] for name, values in self.points.items()},
            self.hands_s[hands],
            {name: values[hands] for name, values in self.tips.items()},
        )


def _interleaved(
    one: tuple[FloatArray, dict[str, FloatArray]], other: tuple[FloatArray, dict[str, FloatArray]]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    times = np.concatenate([one[0], other[0]])
    table = {name: np.concatenate([values, other[1][name]]) for name, values in one[1].items()}
    seen = sum(np.isfinite(v).reshape(len(times), -1).sum(axis=1) for v in table.values())
    order = np.lexsort((-np.asarray(seen), times))
    first = order[np.concatenate(([True], np.diff(times[order]) > 0))] if len(times) else order
    return times[first], {name: values[first] for name, values in table.items()}


class BodyBuilder:
    """Collects the looks at one body into a `BodyTrack`, keeping only numbers.

    Parameters
    ----------
    height, width : int
        Of the frames, pixels.
    """

    def __init__(self, height: int, width: int) -> None:
        self._size, self._shorter = np.array([width, height]), min(height, width)
        self._times, self._cells = array("d"), array("f")
        self._hand_times, self._hand_cells = array("d"), array("f")

    def add(self, time_s: float, body: Body | None) -> None:
        """Take the next look.

        Parameters
        ----------
        time_s : float
            Its stamp.
        body : Body or None
            None where the body was not seen.
        """
        self._times.append(time_s)
        if body is None:
            self._cells.extend([np.nan] * (2 * len(PARTS)))
            return
        chosen = list(PARTS.values())
        points = body.points[chosen]
        seen = (body.visibility[chosen] >= VISIBLE) & np.all((points >= 0) & (points <= self._size), axis=1)
        self._cells.extend(np.where(seen[:, None], points / self._shorter, np.nan).ravel().tolist())

    def add_hands(self, time_s: float, hands: list[FloatArray | None]) -> None:
        """Take the next look at the hands.

        Parameters
        ----------
        time_s : float
            Its stamp.
        hands : list of ndarray (21, 2) or None
            Left and right, landmarks in pixels.
        """
        self._hand_times.append(time_s)
        for hand in hands:
            tips = np.full((len(TIPS), 2), np.nan) if hand is None else hand[list(TIPS)] / self._shorter
            self._hand_cells.extend(tips.ravel().tolist())

    def forget(self, since_s: float) -> None:
        """Take back what was seen after a time: it was somebody else's."""
        first = int(np.searchsorted(np.array(self._times), since_s, side="right"))
        for at in range(first * 2 * len(PARTS), len(self._cells)):
            self._cells[at] = np.nan
        first = int(np.searchsorted(np.array(self._hand_times), since_s, side="right"))
        for at in range(first * 4 * len(TIPS), len(self._hand_cells)):
            self._hand_cells[at] = np.nan

    def done(self) -> BodyTrack:
        """The track of all looks taken."""
        table = np.array(self._cells, dtype=np.float64).reshape(-1, len(PARTS), 2)
        tips = np.array(self._hand_cells, dtype=np.float64).reshape(-1, 2, len(TIPS), 2)
        return BodyTrack(
            np.array(self._times),
            {name: table[:, i] for i, name in enumerate(PARTS)},
            np.array(self._hand_times),
            {"left": tips[:, 0], "right": tips[:, 1]},
        )
