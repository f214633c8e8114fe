"""Biomarkers, events and per-second series of body and hands."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import BIOMARKERS, Biomarker
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Event, FloatArray, Measure, Series, Window
from cueflow.tasks.video.body import spectrum
from cueflow.tasks.video.body.signals import BodySignals, touching
from cueflow.tasks.video.body.track import BodyTrack
from cueflow.tasks.video.episodes import Episode, episodes
from cueflow.tasks.video.weights import frame_seconds, weighted_mean, weighted_sd
from cueflow.tasks.windows import per_second, within

STILL = 0.08  # SW/s: a person who sits still gives .02 to .05, mostly the landmarks' own tremble
SHIFT, SHIFT_S, SHIFT_SLACK_S, SHIFT_APART_S = 0.2, 2.0, 0.25, 3.0
TREMOR_RATE_HZ = 28.0  # 30 looks/s with the jitter that cameras have


def posture_shifts(signals: BodySignals) -> list[Episode]:
    """Changes of posture that last: medians of the two seconds before and after differ.

    Parameters
    ----------
    signals : BodySignals
        Of the whole recording.

    Returns
    -------
    list of Episode
        `peak` is the size of the change, about shoulder widths.
    """
    t, posture = signals.times_s, signals.posture
    good = np.asarray(np.isfinite(posture).all(axis=1))
    change = np.zeros(len(t))
    for i in np.flatnonzero(good):
        before = _median(posture, good, np.searchsorted(t, [t[i] - SHIFT_S, t[i] - SHIFT_SLACK_S]))
        after = _median(posture, good, np.searchsorted(t, [t[i] + SHIFT_SLACK_S, t[i] + SHIFT_S]))
        if before is not None and after is not None:
            change[i] = np.abs(after - before).max()
    found: list[Episode] = []
    for e in episodes(t, np.where(good, change, np.nan), high=SHIFT, low=0.6 * SHIFT):
        high = np.flatnonzero(change[e.first : e.last + 1] >= 0.99 * e.peak)
        middle = e.first + int(np.median(high))
        if not found or t[middle] - found[-1].end_s >= SHIFT_APART_S:
            found.append(Episode(e.first, e.last, float(t[middle]), float(t[middle]), e.peak, e.cut))
    return found


def _median(posture: FloatArray, good: NDArray[np.bool_], span: NDArray[np.int64]) -> FloatArray | None:
    part = posture[span[0] : span[1]][good[span[0] : span[1]]]
    return np.asarray(np.median(part, axis=0)) if len(part) > 5 else None


def contacts(signals: BodySignals) -> list[Episode]:
    """Spans in which a hand is at the face.

    Parameters
    ----------
    signals : BodySignals
        Of the whole recording.

    Returns
    -------
    list of Episode
    """
    at_face = np.where(np.isfinite(signals.hand_face), touching(signals).astype(np.float64), np.nan)
    return episodes(signals.hands_s, at_face, high=0.5, low=0.25)


def body_measures(track: BodyTrack, signals: BodySignals, windows: Sequence[Window]) -> list[Measure]:
    """All declared measures of body and hands, over every window.

    Parameters
    ----------
    track : BodyTrack
        On the session clock; looks in excluded spans are left out.
    signals : BodySignals
        Of the same track.
    windows : sequence of Window
        Spans to summarise.

    Returns
    -------
    list of Measure
    """
    shifts, touches = posture_shifts(signals), contacts(signals)
    return [m for w in windows for m in _Summary(track, signals, w, shifts=shifts, touches=touches).measures()]


class _Summary:
    """Measures of one window."""

    def __init__(
        self, track: BodyTrack, signals: BodySignals, window: Window, *, shifts: list[Episode], touches: list[Episode]
    ) -> None:
        self._track, self._signals, self._window = track, signals, window
        self._seconds = frame_seconds(signals.times_s)
        self._inside = within(signals.times_s, window)
        self._seen = self._inside & track.visible
        self._shifts, self._touches = _in_window(shifts, window), _in_window(touches, window)

    def measures(self) -> list[Measure]:
        looked = float(self._seconds[self._inside].sum())
        seen = float(self._seconds[self._seen].sum())
        share = seen / looked if looked else None
        visible = BIOMARKERS["body_visible_share"].measure(
            share, self._window, n_evidence=looked, coverage=looked / max(self._window.duration_s, 1e-9)
        )
        return [visible, *self._movement(seen), *self._posture(seen), *self._hands(), *self._small_movements()]

    def _movement(self, seen_s: float) -> list[Measure]:
        s = self._signals
        energy = s.energy[self._seen & np.isfinite(s.energy)]
        still, longest = self._stillness()
        return [
            self._measure("body_motion_energy_mean", float(energy.mean()) if len(energy) else None, seen_s),
            self._measure("body_motion_energy_sd", float(energy.std()) if len(energy) else None, seen_s),
            self._measure("body_motion_energy_p95", float(np.quantile(energy, 0.95)) if len(energy) else None, seen_s),
            self._measure("body_still_share", still, seen_s),
            self._measure("body_still_longest", longest, seen_s),
            self._mean("hand_motion_left_mean", s.left, self._where_seen("left_wrist")),
            self._mean("hand_motion_right_mean", s.right, self._where_seen("right_wrist")),
            self._measure("body_posture_shift_rate", 60 * len(self._shifts) / seen_s if seen_s else None, seen_s),
        ]

    def _posture(self, seen_s: float) -> list[Measure]:
        s = self._signals
        hips = self._where_seen("left_hip") & self._where_seen("right_hip")
        return [
            self._mean("body_trunk_lean_mean", s.lean, hips),
            self._mean("body_trunk_lean_sd", s.lean, hips, spread=True),
            self._mean("body_shoulder_tilt_mean", s.tilt, self._seen),
            self._mean("body_shoulder_tilt_sd", s.tilt, self._seen, spread=True),
            self._mean("body_arms_crossed_share", s.crossed, self._inside & np.isfinite(s.crossed)),
            self._mean("hand_self_touch_share", s.self_touch, self._inside & np.isfinite(s.self_touch)),
        ]

    def _hands(self) -> list[Measure]:
        s = self._signals
        looked = within(s.hands_s, self._window) & np.isfinite(s.hand_face)
        seconds = frame_seconds(s.hands_s)
        looked_s = float(seconds[looked].sum())
        at_face = float(seconds[looked & touching(s)].sum())
        return [
            self._measure("hand_to_face_rate", 60 * len(self._touches) / looked_s if looked_s else None, looked_s),
            self._measure("hand_to_face_share", at_face / looked_s if looked_s else None, looked_s),
        ]

    def _small_movements(self) -> list[Measure]:
        s, inside = self._signals, self._inside
        found: list[Measure] = []
        spectra = []
        for side in ("left", "right"):
            middle = (self._track.points["left_shoulder"] + self._track.points["right_shoulder"]) / 2
            place = (self._track.points[f"{side}_wrist"] - middle) / s.width[:, None]
            frequencies, power, seconds = spectrum.hand_spectrum(s.times_s[inside], place[inside])
            spectra.append((frequencies, power, seconds))
            value = spectrum.band_power(frequencies, power, spectrum.FIDGET_HZ) if seconds else None
            found.append(self._measure(f"hand_fidget_{side}_power", value, seconds))
        steps = np.diff(s.times_s[inside])
        slow = not len(steps) or 1 / float(np.median(steps)) < TREMOR_RATE_HZ
        for name, band in (("4_6", spectrum.TREMOR_LOW_HZ), ("6_12", spectrum.TREMOR_HIGH_HZ)):
            found.append(self._tremor(f"hand_tremor_{name}_power", band, spectra, slow=slow))
        return found

    def _tremor(
        self, name: str, band: tuple[float, float], spectra: list[tuple[FloatArray, FloatArray, float]], *, slow: bool
    ) -> Measure:
        seconds = max(s for _, _, s in spectra)
        if slow or not seconds:
            return self._measure(name, None, seconds, reason=Reason.FRAME_RATE_LOW if slow else None)
        clear = [spectrum.band_power(f, p, band) for f, p, s in spectra if s and spectrum.stands_out(f, p, band)]
        return self._measure(name, max(clear, default=None), seconds, reason=None if clear else Reason.LOW_SIGNAL)

    def _stillness(self) -> tuple[float | None, float | None]:
        s = self._signals
        good = self._seen & np.isfinite(s.energy)
        if not good.any():
            return None, None
        second = np.floor(s.times_s[good]).astype(np.int64)
        first = int(second[0])
        count = np.bincount(second - first)
        mean = np.bincount(second - first, weights=s.energy[good]) / np.maximum(count, 1)
        still = (count > 0) & (mean < STILL)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], still, [False])).astype(np.int8)))
        longest = float(np.max(edges[1::2] - edges[::2], initial=0))
        return float(still.sum() / (count > 0).sum()), longest

    def _where_seen(self, part: str) -> NDArray[np.bool_]:
        return np.asarray(self._inside & np.isfinite(self._track.points[part]).all(axis=1))

    def _mean(self, name: str, values: FloatArray, where: NDArray[np.bool_], *, spread: bool = False) -> Measure:
        weights = self._seconds
        value = weighted_sd(values, weights, where) if spread else weighted_mean(values, weights, where)
        return self._measure(name, value, float(self._seconds[where].sum()))

    def _measure(self, name: str, value: float | None, seconds: float, *, reason: Reason | None = None) -> Measure:
        """Evidence is seconds in which the parts were seen; without any, that is the reason."""
        declared: Biomarker = BIOMARKERS[name]
        return declared.measure(
            value,
            self._window,
            n_evidence=seconds,
            coverage=seconds / self._window.duration_s if self._window.duration_s > 0 else 0.0,
            reason=reason if seconds else Reason.BODY_NOT_VISIBLE,
        )


def _in_window(found: Sequence[Episode], window: Window) -> list[Episode]:
    return [e for e in found if window.start_s <= (e.start_s + e.end_s) / 2 < window.end_s]


def body_event_rows(signals: BodySignals) -> list[Event]:
    """The body's events as rows: hand_to_face, posture_shift.

    Parameters
    ----------
    signals : BodySignals
        On the session clock.

    Returns
    -------
    list of Event
    """
    rows = [Event("hand_to_face", "", e.start_s, e.end_s, None) for e in contacts(signals)]
    return rows + [Event("posture_shift", "", e.start_s, e.end_s, e.peak) for e in posture_shifts(signals)]


def body_series(track: BodyTrack, signals: BodySignals, *, start_s: float, end_s: float) -> list[Series]:
    """The body's declared per-second series.

    Parameters
    ----------
    track : BodyTrack
        On the session clock.
    signals : BodySignals
        Of the same track.
    start_s, end_s : float
        Extent of the recording, s.

    Returns
    -------
    list of Series
    """
    s = signals
    at_face = np.where(np.isfinite(s.hand_face), touching(s), np.nan)
    columns = {
        "body_visible": (s.times_s, track.visible.astype(np.float64)),
        "body_motion": (s.times_s, s.energy),
        "hand_motion_left": (s.times_s, s.left),
        "hand_motion_right": (s.times_s, s.right),
        "hand_at_face": (s.hands_s, at_face),
        "trunk_lean": (s.times_s, s.lean),
    }
    return [per_second(name, t, v, start_s=start_s, end_s=end_s) for name, (t, v) in columns.items()]
