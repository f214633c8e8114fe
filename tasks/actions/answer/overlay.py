"""Pictures of what was found: the frame, where it moves, and the classes' scores along time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.decode import Decoder, frames
from cueflow.tasks.video.shots import RATE_HZ, SIDE, Picture, Shot, film, still

if TYPE_CHECKING:
    from cueflow.tasks.actions.store.model import Curves

CHART = 150  # height of the chart, pixels
LEGEND = 38  # of it, for the names
LEVEL = 0.5  # patches a second that are shown at half strength
_COLOURS = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75))


def heat_over(picture: Picture, speed: FloatArray) -> Picture:
    """A frame with what moves in warm colours over it.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3)
        uint8, RGB.
    speed : ndarray, shape (side²,)
        Speed of each patch, patches a second.

    Returns
    -------
    ndarray, shape (height, width, 3)
        Unchanged where nothing moves.
    """
    import cv2

    side = round(len(speed) ** 0.5)
    height, width = picture.shape[:2]
    grid = np.asarray(speed, dtype=np.float32).reshape(side, side)
    large = np.clip(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), 0, None)
    strength = large / (large + LEVEL)
    colour = cv2.cvtColor(cv2.applyColorMap((255 * strength).astype(np.uint8), cv2.COLORMAP_HOT), cv2.COLOR_BGR2RGB)
    mixed = picture * (1 - strength[..., None]) + colour * strength[..., None]
    return np.asarray(np.clip(mixed, 0, 255), dtype=np.uint8)


def chart(
    times_s: FloatArray,
    scores: FloatArray,
    labels: Sequence[str],
    *,
    at_s: float,
    span: tuple[float, float],
    width: int,
) -> Picture:
    """Scores of some classes along time, with a line at one moment and the interval shaded.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Times, s.
    scores : ndarray, shape (n, classes)
        0 to 1.
    labels : sequence of str
        Names of the classes.
    at_s : float
        Where the line stands.
    span : tuple of float
        Start and end of the interval, s.
    width : int
        Pixels.

    Returns
    -------
    ndarray, shape (150, width, 3)
        uint8, RGB.
    """
    import cv2

    board = np.full((CHART, width, 3), 255, np.uint8)
    first, last = float(times_s[0]), max(float(times_s[-1]), float(times_s[0]) + 1e-6)

    def x(t: float) -> int:
        return round(min(max((t - first) / (last - first), 0.0), 1.0) * (width - 1))

    board[:, x(span[0]) : x(span[1]) + 1] = 235
    for c, label in enumerate(labels):
        colour = _COLOURS[c % len(_COLOURS)]
        y = np.round((CHART - LEGEND - 2) * (1 - scores[:, c])).astype(int) + 2
        line = np.stack([[x(float(t)) for t in times_s], y], axis=1).astype(np.int32)
        cv2.polylines(board, [line], isClosed=False, color=colour, thickness=2, lineType=cv2.LINE_AA)
        place = (8 + (c % 3) * width // 3, CHART - 22 + 15 * (c // 3))
        cv2.putText(board, label[:24], place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    cv2.line(board, (x(at_s), 0), (x(at_s), CHART - LEGEND), (0, 0, 0), 1)
    return board


def overlay(
    picture: Picture, found: Curves, labels: Sequence[str], *, at_s: float, span: tuple[float, float]
) -> Picture:
    """Frame, heat map and chart of one moment.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3)
        uint8, RGB.
    found : Curves
        Of the recording.
    labels : sequence of str
        The model's classes.
    at_s : float
        The moment on the session clock.
    span : tuple of float
        The interval on the session clock.

    Returns
    -------
    ndarray, shape (height + 150, width, 3)
        uint8, RGB; the classes that reach most within the interval, six at most.
    """
    times = found.steps.times_s
    margin = max(5.0, span[1] - span[0])
    near = (times >= span[0] - margin) & (times <= span[1] + margin)
    if not near.any():
        near[int(np.argmin(np.abs(times - at_s)))] = True
    inside = near & (times >= span[0]) & (times <= span[1])
    rank = found.probability[inside if inside.any() else near].max(axis=0)
    top = np.sort(np.argsort(-rank, kind="stable")[: len(_COLOURS)])
    step = int(np.argmin(np.abs(times - at_s)))
    shown = heat_over(picture, found.steps.speed[step].astype(np.float64))
    below = chart(
        times[near],
        found.probability[near][:, top],
        [labels[c] for c in top],
        at_s=at_s,
        span=span,
        width=picture.shape[1],
    )
    return np.concatenate([shown, below])


def shots(
    path: Path, found: Curves, labels: Sequence[str], *, spans: Sequence[tuple[float, float]], start_s: float
) -> Iterator[tuple[int, list[Shot]]]:
    """Overlays of every frame of some intervals, the recording decoded once.

    Parameters
    ----------
    path : Path
        The recording.
    found : Curves
        What the model says of it.
    labels : sequence of str
        The model's classes.
    spans : sequence of tuple of float
        Intervals on the session clock, s; they may overlap.
    start_s : float
        The file's zero on the session clock, s.

    Yields
    ------
    tuple
        Number of the interval, and its moments in order; an interval without a frame is left out.
    """
    waiting = sorted(range(len(spans)), key=lambda k: spans[k][1])
    taken: dict[int, list[Shot]] = {k: [] for k in waiting}
    for batch in frames(path, decoder=Decoder.AV, max_side=SIDE, max_rate_hz=RATE_HZ):
        for time, picture in zip((float(t) for t in batch.times_s + start_s), batch.frames, strict=True):
            while waiting and spans[waiting[0]][1] < time:
                yield from _whole(waiting.pop(0), taken)
            for k in waiting:
                if spans[k][0] <= time <= spans[k][1]:
                    taken[k].append((time, overlay(picture, found, labels, at_s=time, span=spans[k])))
        if not waiting:
            return
    for k in waiting:
        yield from _whole(k, taken)


def _whole(number: int, taken: dict[int, list[Shot]]) -> Iterator[tuple[int, list[Shot]]]:
    shown = taken.pop(number)
    if shown:
        yield number, shown


def write_overlay(
    path: Path, found: Curves, labels: Sequence[str], *, span: tuple[float, float], start_s: float, out: Path
) -> tuple[Path, Path]:
    """Write an interval as a picture of its middle and as a short video.

    Parameters
    ----------
    path : Path
        The recording.
    found : Curves
        What the model says of it.
    labels : sequence of str
        The model's classes.
    span : tuple of float
        The interval on the session clock, s.
    start_s : float
        The file's zero on the session clock, s.
    out : Path
        Where to, without suffix; .png and .mp4 are written.

    Returns
    -------
    tuple of Path
        Picture and video.

    Raises
    ------
    StreamError
        If no frame lies in the interval.
    """
    shown = next((taken for _, taken in shots(path, found, labels, spans=[span], start_s=start_s)), None)
    if shown is None:
        raise StreamError("no frame of the recording lies in the interval", reason=Reason.NO_VIDEO_FRAMES)
    out.parent.mkdir(parents=True, exist_ok=True)
    picture, clip = out.with_suffix(".png"), out.with_suffix(".mp4")
    picture.write_bytes(still(shown, span))
    clip.write_bytes(film(shown))
    return picture, clip
