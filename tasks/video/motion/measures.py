"""Biomarkers, events and per-second series of motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.results import Event, FloatArray, Measure, Series, Window
from cueflow.tasks.video.episodes import Episode, episodes
from cueflow.tasks.video.motion.track import MotionTrack
from cueflow.tasks.windows import per_second, within

CAMERA_MOVES = 0.3  # patches/s
BURST_HIGH, BURST_LOW = 4.0, 2.0  # median absolute deviations (scaled to SD) over the median
MAD_TO_SD = 1.4826

SERIES_COLUMNS = {
    "motion_energy": "energy", "motion_x": "x", "motion_y": "y", "motion_centroid_x": "centroid_x",
    "motion_centroid_y": "centroid_y", "attention_flow": "attention", "camera_speed": "camera",
}  # fmt: skip


def motion_bursts(track: MotionTrack, *, still_threshold: float) -> list[Episode]:
    """Spans of motion that stand out from the recording's own level.

    Parameters
    ----------
    track : MotionTrack
        Motion over time.
    still_threshold : float
        Patches/s; a burst reaches at least twice as much over the median.

    Returns
    -------
    list of Episode
    """
    energy = track["energy"]
    if not len(energy):
        return []
    level = float(np.median(energy))
    deviation = max(MAD_TO_SD * float(np.median(np.abs(energy - level))), still_threshold / 2)
    return episodes(track.times_s, energy, high=level + BURST_HIGH * deviation, low=level + BURST_LOW * deviation)


def still_seconds(energy: Series, *, still_threshold: float) -> FloatArray:
    """Which seconds are still.

    Parameters
    ----------
    energy : Series
        Residual speed per second.
    still_threshold : float
        Patches/s.

    Returns
    -------
    ndarray, shape (n,)
        1 still, 0 not, NaN not observed.
    """
    return np.where(np.isfinite(energy.values), (energy.values < still_threshold).astype(np.float64), np.nan)


def motion_series(track: MotionTrack, *, still_threshold: float, start_s: float, end_s: float) -> list[Series]:
    """The declared per-second series of motion.

    Parameters
    ----------
    track : MotionTrack
        On the session clock.
    still_threshold : float
        Patches/s.
    start_s, end_s : float
        Extent of the recording, s.

    Returns
    -------
    list of Series
    """
    found = [
        per_second(name, track.times_s, track[column], start_s=start_s, end_s=end_s)
        for name, column in SERIES_COLUMNS.items()
    ]
    still = still_seconds(found[0], still_threshold=still_threshold)
    return [*found, Series("motion_still", found[0].t_s, still)]


def motion_measures(
    track: MotionTrack, series: Sequence[Series], bursts: Sequence[Episode], windows: Sequence[Window]
) -> list[Measure]:
    """All declared measures of motion, over every window.

    Parameters
    ----------
    track : MotionTrack
        On the session clock; pairs of excluded spans are left out.
    series : sequence of Series
        From `motion_series`.
    bursts : sequence of Episode
        From `motion_bursts`.
    windows : sequence of Window
        Spans to summarise.

    Returns
    -------
    list of Measure
    """
    by_name = {s.name: s for s in series}
    return [m for window in windows for m in _measures(track, by_name, bursts, window)]


def _measures(
    track: MotionTrack, series: dict[str, Series], bursts: Sequence[Episode], window: Window
) -> list[Measure]:
    inside = within(track.times_s, window)
    seconds = float(track.steps_s[inside].sum())
    coverage = seconds / window.duration_s if window.duration_s > 0 else 0.0
    still = _of_window(series["motion_still"], window)
    count = sum(window.start_s <= (b.start_s + b.end_s) / 2 < window.end_s for b in bursts)
    values = {
        **_levels(track, inside),
        **_places(track, inside),
        "motion_stillness_share": _nanmean(still),
        "motion_still_longest": _longest_run(still) if np.isfinite(still).any() else None,
        "motion_burst_rate": 60 * count / seconds if seconds else None,
        "motion_camera_share": _share_above(_of_window(series["camera_speed"], window), CAMERA_MOVES),
    }
    return [
        BIOMARKERS[name].measure(value, window, n_evidence=seconds, coverage=coverage) for name, value in values.items()
    ]


def _levels(track: MotionTrack, inside: NDArray[np.bool_]) -> dict[str, float | None]:
    """Mean, spread and high level of energy and attention flow, and the camera's mean speed, weighted by time."""
    values: dict[str, float | None] = {}
    for name, column in (("motion_energy", "energy"), ("motion_attention_flow", "attention")):
        x, w = track[column][inside], track.steps_s[inside]
        mean = float(np.average(x, weights=w)) if len(x) else None
        values[f"{name}_mean"] = mean
        values[f"{name}_sd"] = None if mean is None else float(np.sqrt(np.average((x - mean) ** 2, weights=w)))
        values[f"{name}_p95"] = float(np.quantile(x, 0.95)) if len(x) else None
    camera = track["camera"][inside]
    values["motion_camera_speed_mean"] = (
        float(np.average(camera, weights=track.steps_s[inside])) if len(camera) else None
    )
    return values


def _places(track: MotionTrack, inside: NDArray[np.bool_]) -> dict[str, float | None]:
    """Where motion happens and along which axis, weighted by how much there is."""
    good = inside & np.isfinite(track["centroid_x"])
    weight = track["energy"][good] * track.steps_s[good]
    columns = {
        "motion_centroid_x_mean": "centroid_x",
        "motion_centroid_y_mean": "centroid_y",
        "motion_spread_mean": "spread",
        "motion_attention_focus_mean": "focus",
    }
    moved = weight.sum() > 0
    values: dict[str, float | None] = {
        name: float(np.average(track[column][good], weights=weight)) if moved else None
        for name, column in columns.items()
    }
    along_x, along_y = np.abs(track["x"][good]).sum(), np.abs(track["y"][good]).sum()
    both = float(along_x + along_y)
    values["motion_horizontal_share"] = float(along_x) / both if both else None
    return values


def _of_window(series: Series, window: Window) -> FloatArray:
    """Values of the seconds that lie wholly in a window, or of all that it touches where it is shorter than two."""
    t = series.t_s
    whole = (t >= window.start_s) & (t + 1 <= window.end_s)
    return series.values[whole if whole.any() else (t + 1 > window.start_s) & (t < window.end_s)]


def _nanmean(values: FloatArray) -> float | None:
    good = values[np.isfinite(values)]
    return float(good.mean()) if len(good) else None


def _share_above(values: FloatArray, limit: float) -> float | None:
    good = values[np.isfinite(values)]
    return float((good > limit).mean()) if len(good) else None


def _longest_run(still: FloatArray) -> float:
    """Longest run of still seconds, s; a second that was not observed ends it."""
    longest = current = 0
    for value in still:
        current = current + 1 if value == 1 else 0
        longest = max(longest, current)
    return float(longest)


def burst_rows(bursts: Sequence[Episode], track: MotionTrack) -> list[Event]:
    """Bursts of motion as events, with where they happened.

    Parameters
    ----------
    bursts : sequence of Episode
        On the session clock.
    track : MotionTrack
        They come from.

    Returns
    -------
    list of Event
    """
    rows = []
    for b in bursts:
        span = slice(b.first, b.last + 1)
        places = {name: track[name][span] for name in ("centroid_x", "centroid_y")}
        evidence = {name: float(np.nanmean(p)) for name, p in places.items() if np.isfinite(p).any()}
        rows.append(Event("motion_burst", "", b.start_s, b.end_s, b.peak, evidence))
    return rows
