"""Biomarkers, events and per-second series of the face."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.biomarkers import BIOMARKERS, Biomarker
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, FloatArray, Measure, Series, Window
from cueflow.tasks.video.episodes import Episode, episodes
from cueflow.tasks.video.face import events as ev
from cueflow.tasks.video.face.cover import mouth_covered
from cueflow.tasks.video.face.gaze import DOWN_DEG, TARGET_DEG, Gaze, gaze_of, gaze_shifts
from cueflow.tasks.video.face.glasses import hides_eyes, wears_glasses
from cueflow.tasks.video.face.track import FaceTrack
from cueflow.tasks.video.face.units import UNITS, activity
from cueflow.tasks.video.weights import frame_seconds, weighted_mean, weighted_sd
from cueflow.tasks.windows import per_second, within

BLINK_RATE_MIN_HZ = 24.5  # 25 frames/s, with the jitter that recordings have
FRONTAL_DEG = 20.0
LEAN = 0.1  # share by which the head is nearer than its median, or further
INSIDE = 0.95  # share of the landmarks in the picture below which a face counts as half outside
CUT_OFF = 0.2  # share of the visible time with a face half outside from which the values say so

SERIES_COLUMNS = {
    "face_blink_score": "au45", "face_mouth_open": "mouth_open", "face_smile": "au12", "face_brow_lower": "au04",
    "face_expressivity": "moved_all", "head_pitch": "pitch", "head_yaw": "yaw", "head_roll": "roll",
    "head_speed": "head_speed",
}  # fmt: skip
MEANS = {
    "face_size_mean": "size", "face_mouth_open_mean": "mouth_open", "face_smile_score_mean": "au12",
    "face_brow_lower_mean": "au04", "face_expressivity_upper_mean": "moved_upper",
    "face_expressivity_lower_mean": "moved_lower", "face_expressivity_lips_mean": "moved_lips",
    "face_expressivity_brows_mean": "moved_brows", "face_expressivity_total_mean": "moved_all",
    "face_asymmetry_mouth_mean": "asymmetry_mouth", "face_asymmetry_eye_mean": "asymmetry_eye",
    "face_asymmetry_brow_mean": "asymmetry_brow", "face_inside_mean": "inside", "head_pitch_mean": "pitch",
    "head_yaw_mean": "yaw", "head_roll_mean": "roll", "head_angular_speed_mean": "head_speed",
}  # fmt: skip
BEHIND_A_MASK = re.compile(
    r"face_(mouth|smile|expressivity(?!_(upper|brows))|asymmetry_(mouth|mean)|au(09|10|12|14|15|17|20|23|25|26))"
)
AT_THE_EYES = re.compile(r"gaze_|face_(blink|eye_|smile_eyes|au(05|06|07|45))")
SPREADS = {"face_mouth_open_sd": "mouth_open", "head_pitch_sd": "pitch", "head_yaw_sd": "yaw", "head_roll_sd": "roll"}


@dataclass(frozen=True, slots=True)
class FaceEvents:
    """What happened in the face, and the frame rate it was seen at."""

    closures: tuple[Episode, ...]
    smiles: tuple[Episode, ...]
    nods: tuple[Episode, ...]
    shakes: tuple[Episode, ...]
    shifts: tuple[Episode, ...]
    opening: FloatArray
    gaze: Gaze
    rate_hz: float
    masked: bool = False
    glasses: bool = False
    hidden_eyes: bool = False

    @property
    def sees_blinks(self) -> bool:
        """True where the frame rate is enough for blinks."""
        return self.rate_hz >= BLINK_RATE_MIN_HZ

    @property
    def blinks(self) -> tuple[Episode, ...]:
        """Short closings seen from beginning to end."""
        return tuple(c for c in self.closures if ev.is_blink(c)) if self.sees_blinks else ()

    def deepest(self, closure: Episode) -> float:
        """Smallest opening during a closing, in open eyes."""
        return float(np.min(self.opening[closure.first : closure.last + 1]))


def find_events(track: FaceTrack) -> FaceEvents:
    """Blinks, smiles, nods and shakes of a track.

    Parameters
    ----------
    track : FaceTrack
        The face over time.

    Returns
    -------
    FaceEvents
    """
    t = track.times_s
    steps = np.diff(t)[track.visible[1:]]  # a file may change its frame rate where the face is gone
    opening = ev.opening(track["eye_aspect"])
    gaze = gaze_of(track, opening)
    masked = mouth_covered(track["lip_red"], track["jaw_colour"])
    glasses = wears_glasses(track["bridge_dark"], track["bridge_edge"])
    hidden = glasses and hides_eyes(track["iris_dark"])
    return FaceEvents(
        closures=() if hidden else tuple(ev.closures(t, track["au45"])),
        smiles=() if masked else tuple(ev.smiles(t, track["au12"], track["corners"])),
        nods=tuple(_oscillations(track, "pitch", "yaw", amplitude_deg=ev.NOD_DEG)),
        shakes=tuple(_oscillations(track, "yaw", "pitch", amplitude_deg=ev.SHAKE_DEG)),
        shifts=() if hidden else tuple(gaze_shifts(gaze)),
        opening=opening,
        gaze=gaze,
        rate_hz=1 / float(np.median(steps)) if len(steps) else 0.0,
        masked=masked,
        glasses=glasses,
        hidden_eyes=hidden,
    )


def _oscillations(track: FaceTrack, axis: str, other: str, *, amplitude_deg: float) -> list[Episode]:
    t, angle, mouth = track.times_s, track[axis], track["mouth_open"]
    quick = track[f"quick_{axis}"] - ev.mouth_tip(t, angle, mouth) * mouth
    return ev.oscillations(t, angle, track[other], quick=quick, amplitude_deg=amplitude_deg)


def brow_raise(track: FaceTrack) -> FloatArray:
    """Mean score of raising the inner brow and both outer ones, (n,)."""
    return np.asarray((track["au01"] + 2 * track["au02"]) / 3)


def asymmetry(track: FaceTrack) -> FloatArray:
    """Mean asymmetry of mouth, eyes and brows, (n,), inter-ocular distances."""
    return np.asarray((track["asymmetry_mouth"] + track["asymmetry_eye"] + track["asymmetry_brow"]) / 3)


def nearness(track: FaceTrack) -> FloatArray:
    """Nearness to the camera in shares of its median, (n,)."""
    near = track["nearness"]
    return near / np.nanmedian(near) if track.visible.any() else near


def face_measures(track: FaceTrack, events: FaceEvents, windows: Sequence[Window]) -> list[Measure]:
    """All declared measures of the face, over every window.

    Parameters
    ----------
    track : FaceTrack
        The face over time, on the session clock; frames of excluded spans are left out.
    events : FaceEvents
        Of the same track.
    windows : sequence of Window
        Spans to summarise.

    Returns
    -------
    list of Measure
    """
    seconds = frame_seconds(track.times_s)
    squint = np.maximum(activity(track["au07"]), activity(track["au06"]))
    active = {u: episodes(track.times_s, activity(track[u]), high=ev.UNIT_HIGH, low=ev.UNIT_LOW) for u in UNITS}
    return [
        m
        for window in windows
        for m in _Summary(track, events, seconds, window, squint=squint, active=active).measures()
    ]


class _Summary:
    """Measures of one window."""

    def __init__(
        self,
        track: FaceTrack,
        events: FaceEvents,
        seconds: FloatArray,
        window: Window,
        *,
        squint: FloatArray,
        active: Mapping[str, Sequence[Episode]],
    ) -> None:
        self._track, self._events, self._window = track, events, window
        inside = within(track.times_s, window)
        self._observed_s = float(seconds[inside].sum())
        self._seen: NDArray[np.bool_] = inside & track.visible
        self._weights = seconds
        self._seen_s = float(seconds[self._seen].sum())
        self._coverage = self._seen_s / window.duration_s if window.duration_s > 0 else 0.0
        self._squint, self._active = squint, active
        cut = weighted_mean((track["inside"] < INSIDE).astype(np.float64), seconds, self._seen)
        self._half_outside = cut is not None and cut >= CUT_OFF
        self._quality = self._mean(track["inside"])

    def measures(self) -> list[Measure]:
        share = self._seen_s / self._observed_s if self._observed_s else None
        visible = BIOMARKERS["face_visible_share"].measure(
            share, self._window, n_evidence=self._observed_s,
            coverage=self._observed_s / self._window.duration_s if self._window.duration_s > 0 else 0.0,
        )  # fmt: skip
        found = [visible]
        found += [self._measure(name, self._mean(self._track[column])) for name, column in MEANS.items()]
        found += [self._measure(name, self._sd(self._track[column])) for name, column in SPREADS.items()]
        found.append(self._measure("face_brow_raise_mean", self._mean(brow_raise(self._track))))
        found.append(self._measure("face_asymmetry_mean", self._mean(asymmetry(self._track))))
        return [*found, *self._poses(), *self._blinks(), *self._others(), *self._gaze(), *self._units()]

    def _poses(self) -> list[Measure]:
        speed = self._track["head_speed"][self._seen]
        speed = speed[np.isfinite(speed)]
        turned = np.maximum(np.abs(self._track["yaw"]), np.abs(self._track["pitch"]))
        return [
            self._measure("head_angular_speed_p95", float(np.quantile(speed, 0.95)) if len(speed) else None),
            self._measure("face_frontal_share", self._share(turned < FRONTAL_DEG)),
        ]

    def _blinks(self) -> list[Measure]:
        blinks = self._inside(self._events.blinks)
        slow = None if self._events.sees_blinks else Reason.FRAME_RATE_LOW
        durations = [1000 * b.duration_s for b in blinks]
        shallow = [self._events.deepest(b) >= ev.COMPLETE_EYE for b in blinks]
        closed = self._share(self._events.opening < ev.COMPLETE_EYE)
        return [
            self._measure("face_blink_rate", None if slow else self._per_minute(len(blinks)), reason=slow),
            self._measure("face_blink_duration_mean", _mean(durations), count=len(blinks), reason=slow),
            self._measure("face_blink_incomplete_share", _mean(shallow), count=len(blinks), reason=slow),
            self._measure("face_eye_closed_share", closed),
        ]

    def _others(self) -> list[Measure]:
        smiles = self._inside(self._events.smiles)
        whole = [s.duration_s for s in smiles if not s.cut]
        smiling = np.zeros(len(self._seen), dtype=bool)
        for s in self._events.smiles:
            smiling |= (self._track.times_s >= s.start_s) & (self._track.times_s <= s.end_s)
        eyes = [self._eyes_join(s) for s in smiles]
        return [
            self._measure("face_smile_eyes_share", _mean(eyes), count=len(smiles)),
            self._measure("face_smile_rate", self._per_minute(len(smiles))),
            self._measure("face_smile_duration_mean", _mean(whole), count=len(whole)),
            self._measure("face_smile_share", self._share(smiling)),
            self._measure("head_nod_rate", self._per_minute(len(self._inside(self._events.nods)))),
            self._measure("head_shake_rate", self._per_minute(len(self._inside(self._events.shakes)))),
        ]

    def _eyes_join(self, smile: Episode) -> bool:
        """True where the lids narrow with the mouth: a squint, or a raised cheek, above its resting level."""
        span = slice(smile.first, smile.last + 1)
        return bool(np.nanmean(self._squint[span]) >= ev.SMILE_EYES)

    def _gaze(self) -> list[Measure]:
        gaze, near = self._events.gaze, nearness(self._track)
        seen = self._seen & np.isfinite(gaze.yaw)
        open_s = float(self._weights[seen].sum())
        shifts = self._inside(self._events.shifts)

        def told(name: str, value: float | None) -> Measure:
            return self._measure(name, value, seconds=open_s)

        return [
            told("gaze_yaw_mean", weighted_mean(gaze.yaw, self._weights, seen)),
            told("gaze_yaw_sd", weighted_sd(gaze.yaw, self._weights, seen)),
            told("gaze_pitch_mean", weighted_mean(gaze.pitch, self._weights, seen)),
            told("gaze_pitch_sd", weighted_sd(gaze.pitch, self._weights, seen)),
            told("gaze_shift_rate", 60 * len(shifts) / open_s if open_s else None),
            told("gaze_target_share", weighted_mean((gaze.away <= TARGET_DEG).astype(np.float64), self._weights, seen)),
            told("gaze_down_share", weighted_mean((gaze.pitch > DOWN_DEG).astype(np.float64), self._weights, seen)),
            self._measure("head_nearness_sd", self._sd(near)),
            self._measure("head_lean_in_share", self._share(near >= 1 + LEAN)),
            self._measure("head_lean_out_share", self._share(near <= 1 - LEAN)),
        ]

    def _units(self) -> list[Measure]:
        found = []
        for unit in UNITS:
            score, active = self._track[unit], self._active[unit]
            up = np.zeros(len(score), dtype=bool)
            for e in active:
                up[e.first : e.last + 1] = True
            seen = score[self._seen]
            found += [
                self._measure(f"face_{unit}_mean", self._mean(score)),
                self._measure(f"face_{unit}_sd", self._sd(score)),
                self._measure(f"face_{unit}_act_share", self._share(up)),
                self._measure(f"face_{unit}_act_rate", self._per_minute(len(self._inside(active)))),
                self._measure(f"face_{unit}_peak", float(np.quantile(seen, 0.99)) if len(seen) else None),
            ]
        return found

    def _measure(
        self,
        name: str,
        value: float | None,
        *,
        count: int | None = None,
        seconds: float | None = None,
        reason: Reason | None = None,
    ) -> Measure:
        """Evidence is visible seconds, or a count of events; without any face that is the reason."""
        declared: Biomarker = BIOMARKERS[name]
        seen = self._seen_s if seconds is None else seconds
        if reason is None and value is not None and self._half_outside:
            reason = Reason.FACE_CUT_OFF
        if self._events.masked and BEHIND_A_MASK.match(name):
            value, reason = None, Reason.MOUTH_COVERED
        if self._events.hidden_eyes and AT_THE_EYES.match(name):
            value, reason = None, Reason.EYES_COVERED
        measured = declared.measure(
            value,
            self._window,
            n_evidence=seen if count is None else count,
            quality=self._quality,
            coverage=self._coverage,
            reason=reason if self._seen_s else Reason.NO_FACE,
        )
        if self._events.glasses and name.startswith("gaze_") and measured.status is Status.OK:
            return replace(measured, status=Status.LOW_QUALITY, reason=Reason.GLASSES)
        return measured

    def _inside(self, found: Sequence[Episode]) -> list[Episode]:
        return [e for e in found if self._window.start_s <= (e.start_s + e.end_s) / 2 < self._window.end_s]

    def _per_minute(self, count: int) -> float | None:
        return 60 * count / self._seen_s if self._seen_s else None

    def _mean(self, values: FloatArray) -> float | None:
        return weighted_mean(values, self._weights, self._seen)

    def _sd(self, values: FloatArray) -> float | None:
        return weighted_sd(values, self._weights, self._seen)

    def _share(self, condition: NDArray[np.bool_]) -> float | None:
        return float(self._weights[self._seen & condition].sum()) / self._seen_s if self._seen_s else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def face_event_rows(events: FaceEvents) -> list[Event]:
    """The face's events as rows: blink, eye_closure, smile, nod, shake.

    Parameters
    ----------
    events : FaceEvents
        On the session clock.

    Returns
    -------
    list of Event
        Closings that are no blinks are eye closures; at a low frame rate there are no blinks, only closures that are
        longer than one.
    """
    rows: list[Event] = []
    for c in events.closures:
        depth = {"opening_min": events.deepest(c)}
        if ev.is_blink(c):
            label = "complete" if depth["opening_min"] < ev.COMPLETE_EYE else "incomplete"
            if events.sees_blinks:
                rows.append(Event("blink", label, c.start_s, c.end_s, c.peak, depth))
        elif c.duration_s > ev.BLINK_MAX_S:
            rows.append(Event("eye_closure", "", c.start_s, c.end_s, c.peak, depth))
    rows += [Event("smile", "", s.start_s, s.end_s, s.peak) for s in events.smiles]
    rows += [Event("nod", "", n.start_s, n.end_s, None, {"range_deg": n.peak}) for n in events.nods]
    rows += [Event("shake", "", s.start_s, s.end_s, None, {"range_deg": s.peak}) for s in events.shakes]
    rows += [Event("gaze_shift", "", g.start_s, g.end_s, None, {"angle_deg": g.peak}) for g in events.shifts]
    return sorted(rows, key=lambda e: (e.start_s, e.kind))


def face_series(track: FaceTrack, events: FaceEvents, *, start_s: float, end_s: float) -> list[Series]:
    """The face's declared per-second series.

    Parameters
    ----------
    track : FaceTrack
        On the session clock.
    events : FaceEvents
        Of the same track.
    start_s, end_s : float
        Extent of the recording, s.

    Returns
    -------
    list of Series
    """
    columns = {name: track[column] for name, column in SERIES_COLUMNS.items()}
    columns["face_visible"] = track.visible.astype(np.float64)
    columns["face_eye_opening"] = events.opening
    columns["face_brow_raise"] = brow_raise(track)
    columns["gaze_yaw"], columns["gaze_pitch"] = events.gaze.yaw, events.gaze.pitch
    columns["head_nearness"] = nearness(track)
    for hidden, names in ((events.masked, BEHIND_A_MASK), (events.hidden_eyes, AT_THE_EYES)):
        if hidden:
            columns |= {name: np.full(len(track.times_s), np.nan) for name in columns if names.match(name)}
    return [per_second(name, track.times_s, values, start_s=start_s, end_s=end_s) for name, values in columns.items()]
