"""One recording of video, decoded once: people, faces, bodies and motion, as findings on the session clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cueflow.schemas.config import PersonRule
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, Findings, FloatArray, Measure, Series, Window
from cueflow.schemas.session import Role
from cueflow.tasks.video.body.measures import body_event_rows, body_measures, body_series
from cueflow.tasks.video.body.signals import body_signals
from cueflow.tasks.video.body.track import PARTS, BodyTrack
from cueflow.tasks.video.decode import Decoder
from cueflow.tasks.video.face.measures import face_event_rows, face_measures, face_series, find_events
from cueflow.tasks.video.face.still import is_picture
from cueflow.tasks.video.face.track import COLUMNS, FaceTrack
from cueflow.tasks.video.follow import FrameTaker, PersonTrack, Tracks, VideoModels, follow
from cueflow.tasks.video.motion.measures import burst_rows, motion_bursts, motion_measures, motion_series
from cueflow.tasks.video.motion.track import MotionTrack
from cueflow.tasks.video.people.presence import presence_rows
from cueflow.tasks.video.people.reference import reference_numbers
from cueflow.tasks.video.people.roles import Appearance, appearances, choose
from cueflow.tasks.video.pulse.measures import pulse_measures, pulse_series
from cueflow.tasks.video.pulse.rppg import pulse_windows
from cueflow.tasks.video.together.measures import One, pair_measures, presence_measures
from cueflow.tasks.video.weights import frame_seconds
from cueflow.tasks.windows import excluded, measuring_windows, per_second

if TYPE_CHECKING:
    from pathlib import Path

    from cueflow.schemas.config import VideoConfig
    from cueflow.schemas.session import Exclusion

VERSION = "13"
MIN_DURATION_S = 1.0
MIN_PRESENT = 0.98  # of the promised duration, less a second
MAX_DARK = 0.95  # share of frames in which nothing can be seen
MIN_SIDE = 48  # pixels of the shorter side
MIN_VISIBLE = 0.05  # share of frames with a face below which the recording as a whole says "no face"

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a recording lies on the session clock: its zero in s, the phases, and spans that no measure may use."""

    start_s: float = 0.0
    phases: tuple[Window, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()


@dataclass(frozen=True, slots=True)
class Cue:
    """What says who a recording is about: its roles, the rule, the numbers of a reference face, a photo without one."""

    roles: tuple[Role, ...] = (Role.PATIENT,)
    rule: PersonRule = PersonRule.MOST_PRESENT
    reference: FloatArray | None = None
    reference_unusable: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """The person of one role: who, by what, how many there were, and the other person, where there is one."""

    role: Role
    person: int | None
    by: str
    among: int
    other: int | None = None
    picture: bool = False


def analyse_video(  # noqa: PLR0913 - the contract of a stage
    path: Path,
    *,
    place: Place,
    models: VideoModels,
    config: VideoConfig,
    roles: tuple[Role, ...] = (Role.PATIENT,),
    reference: Path | None = None,
    decoder: str = "av",
    also: FrameTaker | None = None,
    progress: Progress | None = None,
) -> dict[Role, Findings]:
    """People, faces, bodies and motion of one video.

    Parameters
    ----------
    path : Path
        The recording.
    place : Place
        Its zero, phases and exclusions on the session clock.
    models : VideoModels
        Files of the models.
    config : VideoConfig
        Rates, sizes, layers, thresholds, and the rule that says who it is about.
    roles : tuple of Role, optional
        Whose findings are wanted: the first one's person is chosen, the second is somebody else.
    reference : Path, optional
        A photograph of the first role's person.
    decoder : {"av", "decord"}
        Which decoder to use; decord may have to be killed by the caller.
    also : FrameTaker, optional
        Who else is shown the decoded frames.
    progress : callable, optional
        Told the share that is done, 0 to 1.

    Returns
    -------
    dict
        Findings by role; a second role only where a second person was seen. `StreamError` comes up where the file
        cannot be decoded, with this decoder or at all, and `ModelError` where a model cannot be loaded.
    """
    numbers = None if reference is None else reference_numbers(reference, models)
    cue = Cue(roles, config.person_rule, numbers, reference_unusable=reference is not None and numbers is None)
    tracks = follow(
        path,
        models=models,
        config=config,
        decoder=Decoder(decoder),
        progress=progress or (lambda _: None),
        also=also,
    )
    return findings(tracks, place=place, cue=cue, still_threshold=config.still_threshold)


def findings(tracks: Tracks, *, place: Place, cue: Cue, still_threshold: float) -> dict[Role, Findings]:
    """Measures, events and series of followed people and motion.

    Parameters
    ----------
    tracks : Tracks
        On the file's clock.
    place : Place
        Where they lie on the session clock.
    cue : Cue
        Who the recording is about.
    still_threshold : float
        Patches/s.

    Returns
    -------
    dict
        Findings by role.
    """
    scene = _Scene(_placed(tracks, place), place, still_threshold=still_threshold)
    return {chosen.role: scene.findings(chosen, unusable=cue.reference_unusable) for chosen in _cast(scene.tracks, cue)}


def _cast(tracks: Tracks, cue: Cue) -> list[Chosen]:
    """Who plays which role; a picture on the wall plays none, unless nobody else is there."""
    found = [a for a in appearances(tracks.sightings) if a.person in tracks.people]
    alive = [a for a in found if not is_picture(tracks.people[a.person].face)]
    main, by = choose(alive or found, tracks.persons, rule=cue.rule, reference=cue.reference)
    others = [a for a in alive if main is not None and a.person != main.person]
    second = others[0].person if others else None
    chosen = [_chosen(cue.roles[0], main, by, len(found), second, picture=bool(found) and not alive)]
    if len(cue.roles) > 1 and second is not None and main is not None:
        chosen.append(Chosen(cue.roles[1], second, "other", len(found), main.person))
    return chosen


def _chosen(  # noqa: PLR0917 - fields in their order
    role: Role, main: Appearance | None, by: str, among: int, other: int | None, *, picture: bool
) -> Chosen:
    return Chosen(role, None if main is None else main.person, by, among, other, picture)


class _Scene:
    """Everything of a recording on the session clock; gives the findings of one role after another."""

    def __init__(self, tracks: Tracks, place: Place, *, still_threshold: float) -> None:
        seen = tracks.seen_s
        self.tracks, self._threshold = tracks, still_threshold
        self._begin = float(seen[0])
        self._end = float(seen[-1]) + (float(np.median(np.diff(seen))) if len(seen) > 1 else 0.0)
        self._windows = measuring_windows(self._begin, self._end, place.phases)
        self._bursts = motion_bursts(tracks.motion, still_threshold=still_threshold)
        self._moving = motion_series(
            tracks.motion, still_threshold=still_threshold, start_s=self._begin, end_s=self._end
        )

    def findings(self, chosen: Chosen, *, unusable: bool) -> Findings:
        """Of the person of one role."""
        track = self._track(chosen.person)
        measures, events, series = self._person(track, chosen)
        measures += motion_measures(self.tracks.motion, self._moving, self._bursts, self._windows)
        if (unseen := self._unseen()) is not None:
            measures = _without_values(measures, unseen)
        duration = self._end - self._begin
        state = self._state(track.face, chosen, duration, unusable=unusable)
        events += burst_rows(self._bursts, self.tracks.motion) + presence_rows(self.tracks.sightings, chosen.person)
        events.append(self._who(chosen))
        return Findings(
            start_s=self._begin,
            end_s=self._end,
            coverage=min(1.0, float(frame_seconds(self.tracks.seen_s).sum()) / duration) if duration > 0 else 0.0,
            quality=float(track.face.visible.mean()) if len(track.face.visible) else None,
            status=state[0],
            reason=state[1],
            measures=tuple(measures),
            events=tuple(sorted(events, key=lambda e: (e.start_s, e.kind))),
            series=(*series, *self._moving),
        )

    def _track(self, person: int | None) -> PersonTrack:
        """Of a person; of nobody, a track in which nothing was seen."""
        if person is not None:
            return self.tracks.people[person]
        times = self.tracks.seen_s
        blank = np.full(len(times), np.nan)
        nothing = np.zeros((0, 2))
        body = BodyTrack(
            np.zeros(0),
            dict.fromkeys(PARTS, nothing),
            np.zeros(0),
            dict.fromkeys(("left", "right"), np.zeros((0, 5, 2))),
        )
        return PersonTrack(FaceTrack(times, dict.fromkeys(COLUMNS, blank)), body)

    def _person(self, track: PersonTrack, chosen: Chosen) -> tuple[list[Measure], list[Event], list[Series]]:
        face, body, windows = track.face, track.body, self._windows
        happened, signals = find_events(face), body_signals(body)
        skin = np.column_stack([face[f"skin_{colour}"] for colour in "rgb"])
        pulse = pulse_windows(face.times_s, skin)
        me = None if chosen.person is None else One(face, body, signals)
        measures = [
            *face_measures(face, happened, windows),
            *pulse_measures(pulse, windows, face=bool(face.visible.any())),
            *body_measures(body, signals, windows),
            *presence_measures(self.tracks.sightings, chosen.person, windows),
            *pair_measures(me, self._other(chosen), windows),
        ]
        if chosen.picture or (chosen.person is None and chosen.among):
            measures = _without_movement(measures, picture=chosen.picture)
        events = [] if chosen.picture or self._unseen() else [*face_event_rows(happened), *body_event_rows(signals)]
        span = {"start_s": self._begin, "end_s": self._end}
        counts = np.array([float((self.tracks.sightings.times_s == t).sum()) for t in self.tracks.sightings.looks_s])
        people = per_second("people_seen", self.tracks.sightings.looks_s, counts, **span)
        series = [*face_series(face, happened, **span), *pulse_series(pulse, **span), people]
        return measures, events, [*series, *body_series(body, signals, **span)]

    def _other(self, chosen: Chosen) -> One | None:
        if chosen.other is None:
            return None
        track = self.tracks.people[chosen.other]
        return One(track.face, track.body, body_signals(track.body))

    def _who(self, chosen: Chosen) -> Event:
        """States who the values are about, and what decided it."""
        evidence: dict[str, float | str] = {"by": chosen.by, "people": float(chosen.among)}
        if chosen.person is not None:
            evidence["person"] = float(chosen.person)
        return Event("person", str(chosen.role), self._begin, self._end, None, evidence)

    def _unseen(self) -> Reason | None:
        """Why nothing that this recording shows can be used."""
        if min(self.tracks.height, self.tracks.width) < MIN_SIDE:
            return Reason.PICTURE_TOO_SMALL
        if self.tracks.dark_share > MAX_DARK:
            return Reason.PICTURE_TOO_DARK
        return Reason.PICTURE_UPSIDE_DOWN if self.tracks.upside_down else None

    def _state(
        self, face: FaceTrack, chosen: Chosen, duration_s: float, *, unusable: bool
    ) -> tuple[Status, Reason | None]:
        promised = self.tracks.promised_s
        if promised is not None and duration_s < MIN_PRESENT * promised - 1:
            return Status.LOW_QUALITY, Reason.FILE_TRUNCATED
        if duration_s < MIN_DURATION_S:
            return Status.TOO_SHORT, Reason.FEW_EVIDENCE
        if (unseen := self._unseen()) is not None:
            return Status.LOW_QUALITY, unseen
        if chosen.picture:
            return Status.LOW_QUALITY, Reason.PICTURE_OF_A_FACE
        if chosen.person is None and chosen.among:
            return Status.LOW_QUALITY, Reason.PERSON_NOT_FOUND
        if not face.visible.any() or face.visible.mean() < MIN_VISIBLE:
            return Status.LOW_QUALITY, Reason.NO_FACE
        return (Status.LOW_QUALITY, Reason.REFERENCE_UNUSABLE) if unusable else (Status.OK, None)


_PRESENCE = frozenset({
    "face_visible_share", "face_size_mean", "people_count_max", "people_others_share", "person_present_share",
    "people_unknown_share",
})  # fmt: skip


def _without_movement(measures: list[Measure], *, picture: bool) -> list[Measure]:
    """Presence only: a picture on the wall moves by the camera's noise, and somebody who is not there does not move."""
    reason = Reason.PICTURE_OF_A_FACE if picture else Reason.PERSON_NOT_FOUND
    return [
        m if m.biomarker in _PRESENCE else replace(m, value=None, status=Status.ABSENT, reason=reason) for m in measures
    ]


def _without_values(measures: list[Measure], reason: Reason) -> list[Measure]:
    """A black picture is not a still one, and a face that is fitted upside down has no expression."""
    return [replace(m, value=None, status=Status.LOW_QUALITY, reason=reason) for m in measures]


def _placed(tracks: Tracks, place: Place) -> Tracks:
    """Everything on the session clock, without what lies in an excluded span: there is a gap in its place."""
    shift, out = place.start_s, place.exclusions
    people = {}
    for who, track in tracks.people.items():
        face = replace(track.face, times_s=track.face.times_s + shift)
        body = replace(track.body, times_s=track.body.times_s + shift, hands_s=track.body.hands_s + shift)
        people[who] = PersonTrack(
            face.only(~excluded(face.times_s, out)),
            body.only(~excluded(body.times_s, out), ~excluded(body.hands_s, out)),
        )
    seen = tracks.sightings
    kept = ~excluded(seen.times_s + shift, out)
    sightings = replace(
        seen,
        looks_s=(seen.looks_s + shift)[~excluded(seen.looks_s + shift, out)],
        times_s=(seen.times_s + shift)[kept],
        person=seen.person[kept],
        x=seen.x[kept],
        size=seen.size[kept],
    )
    return replace(
        tracks,
        seen_s=tracks.seen_s + shift,
        people=people,
        sightings=sightings,
        motion=_placed_motion(tracks.motion, shift, out),
    )


def _placed_motion(motion: MotionTrack, shift_s: float, out: Sequence[Exclusion]) -> MotionTrack:
    middles, half = motion.times_s + shift_s, motion.steps_s / 2
    kept = ~(excluded(middles, out) | excluded(middles - half, out) | excluded(middles + half, out))
    return replace(
        motion,
        times_s=middles[kept],
        steps_s=motion.steps_s[kept],
        columns={name: column[kept] for name, column in motion.columns.items()},
    )
