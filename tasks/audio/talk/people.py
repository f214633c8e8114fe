"""Whose voice it is: the speakers of one recording and their roles, with the rule that found them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import Event, Findings, FloatArray, SpeakerRole
from cueflow.schemas.session import Role
from cueflow.tasks.audio.signal.level import decibels
from cueflow.tasks.audio.talk.speakers import SAME_MIN, Speakers

Flags = NDArray[np.bool_]
Labels = NDArray[np.int64]

OWNER_DB = 6.0  # on a person's own microphone the person is at least this much louder than anybody else
SPEAKER = "speaker"  # the kind of event that says who somebody is
MOST, FIRST = "patient_speaks_most", "clinician_speaks_first"
_NEAR = 31  # frames over which a level is taken: syllables of a voice from afar are as loud as soft ones of the owner
_SOFT_DB = 20.0  # below the owner's usual level it is not the owner


@dataclass(frozen=True, slots=True)
class People:
    """The speakers of a recording: who speaks in each frame, their roles, and whose microphone it is (None: nobody's).

    `mixed` is True where the recording is declared as one person's, several are heard, and none is clearly the owner.
    """

    speakers: Speakers
    roles: tuple[SpeakerRole, ...]
    owner: int | None
    mixed: bool

    def own(self, speech: Flags) -> Flags:
        """Frames of the recording's own person, or of everybody.

        Parameters
        ----------
        speech : ndarray of bool, shape (n,)
            Frames with speech.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        return speech if self.owner is None else self.speakers.labels == self.owner


def people_of(speakers: Speakers, power: NDArray[np.float32], *, role: Role, rule: str) -> People:
    """Find the roles of a recording's speakers.

    On a microphone that the manifest gives to a person, the person is whoever is at least 6 dB louder than the others;
    there level and voice prints together say which speech is the person's.
    In a room, roles stay unknown unless a rule is chosen.

    Parameters
    ----------
    speakers : Speakers
        Who speaks when.
    power : ndarray, shape (n,)
        Mean squares of the frames.
    role : Role
        Whose recording it is, as the manifest says.
    rule : str
        `none`, `patient_speaks_most` or `clinician_speaks_first`: for a room with two speakers.

    Returns
    -------
    People
    """
    names = tuple(f"s{k + 1}" for k in range(speakers.count))
    unknown = tuple(SpeakerRole(name) for name in names)
    if speakers.count < 2:
        return People(speakers, (), None, mixed=False)
    if role is Role.ROOM:
        return People(speakers, _by_rule(speakers, names, rule), None, mixed=False)
    levels = _levels(speakers, power)
    first, second = (int(k) for k in np.argsort(-levels)[:2])
    ahead_db = float(levels[first] - levels[second])
    if ahead_db < OWNER_DB:
        return People(speakers, unknown, None, mixed=True)
    confidence = 1.0 - 10.0 ** (-ahead_db / 10.0)
    roles = tuple(
        SpeakerRole(name, role.value, "own_microphone", confidence) if k == first else SpeakerRole(name)
        for k, name in enumerate(names)
    )
    labels = _by_level(speakers.labels, power, owner=first, usual_db=float(levels[first]))
    # whoever speaks beside the person is not heard apart
    heard = Speakers.apart(labels, speakers.count, speakers.similarity, speakers.centres)
    return People(heard, roles, first, mixed=False)


def _levels(speakers: Speakers, power: NDArray[np.float32]) -> FloatArray:
    """Median level of every speaker, dB re full scale."""
    labels = speakers.labels
    return np.asarray([
        float(np.median(decibels(power[labels == k]))) if (labels == k).any() else -np.inf
        for k in range(speakers.count)
    ])  # fmt: skip


def _by_level(labels: Labels, power: NDArray[np.float32], *, owner: int, usual_db: float) -> Labels:
    """On the owner's microphone the level of a third of a second tells what prints of 1.6 s take for somebody else's.

    What is as loud as the owner usually is, is the owner; what is far softer is not. In between the prints are right:
    a voice that the room brings is as loud, from syllable to syllable, as the owner's soft ones.
    """
    from scipy.ndimage import uniform_filter1d

    speech = labels >= 0
    share = np.maximum(uniform_filter1d(speech.astype(np.float64), _NEAR), 1.0 / _NEAR)
    level = decibels(uniform_filter1d(np.where(speech, power, 0.0).astype(np.float64), _NEAR) / share)
    out = labels.copy()
    out[speech & (level > usual_db)] = owner
    out[(labels == owner) & (level < usual_db - _SOFT_DB)] = 1 if owner == 0 else 0
    return out


def _by_rule(speakers: Speakers, names: tuple[str, ...], rule: str) -> tuple[SpeakerRole, ...]:
    unknown = tuple(SpeakerRole(name) for name in names)
    if speakers.count != 2 or rule not in {MOST, FIRST}:
        return unknown
    seconds = np.bincount(speakers.labels[speakers.labels >= 0], minlength=2)
    patient = 0
    confidence = float(seconds[0] / max(seconds.sum(), 1))
    if rule == FIRST:
        first = int(speakers.labels[np.flatnonzero(speakers.labels >= 0)[0]])
        patient, confidence = 1 - first, 0.5
    roles = (Role.PATIENT.value, Role.CLINICIAN.value) if patient == 0 else (Role.CLINICIAN.value, Role.PATIENT.value)
    return tuple(SpeakerRole(n, r, rule, confidence) for n, r in zip(names, roles, strict=True))


def matched(
    prints: FloatArray, roles: tuple[SpeakerRole, ...], known: dict[str, FloatArray]
) -> tuple[SpeakerRole, ...]:
    """Give a room's speakers the roles of people whose voice print is known from their own microphone.

    Parameters
    ----------
    prints : ndarray, shape (k, 256)
        Voice prints of the speakers.
    roles : tuple of SpeakerRole
        As far as they are known.
    known : dict
        Voice print, shape (256,), by role.

    Returns
    -------
    tuple of SpeakerRole
        A speaker gets a role where the print is nearer than any other speaker's and near enough for one person; the
        confidence is how much nearer, over the range that cosines of people take.
    """
    if len(prints) < 2 or len(prints) != len(roles):
        return roles
    out = list(roles)
    for role, known_print in known.items():
        alike = prints @ known_print
        best, second = (int(i) for i in np.argsort(-alike)[:2])
        if alike[best] >= SAME_MIN and not out[best].role:
            confidence = float(np.clip(0.5 + (alike[best] - alike[second]) / (2.0 * (1.0 - SAME_MIN)), 0.0, 1.0))
            out[best] = SpeakerRole(out[best].speaker, role, "voice_print", confidence)
    return tuple(out)


def introduced(events: Sequence[Event], roles: Sequence[SpeakerRole]) -> tuple[Event, ...]:
    """Events of which those that introduce a speaker say the speaker's role, its rule and how sure that is.

    Parameters
    ----------
    events : sequence of Event
        Of a recording; one of kind `speaker` for each.
    roles : sequence of SpeakerRole
        Of its speakers.

    Returns
    -------
    tuple of Event
        In the same order. The score is the confidence; without a role nothing is added.
    """
    known = {role.speaker: role for role in roles if role.role}

    def one(event: Event) -> Event:
        role = known.get(event.speaker) if event.kind == SPEAKER else None
        if role is None:
            return event
        said: dict[str, float | str] = {"role_rule": role.rule, "role_confidence": round(role.confidence or 0.0, 3)}
        return replace(event, score=role.confidence, evidence={**event.evidence, **said})

    return tuple(one(event) for event in events)


def renamed(found: Findings, names: Mapping[str, str]) -> Findings:
    """Findings whose speakers have other names.

    Parameters
    ----------
    found : Findings
        Of a recording.
    names : mapping
        New name by the old one; others stay.

    Returns
    -------
    Findings
    """

    def named(event: Event) -> Event:
        label = names.get(event.label, event.label) if event.kind == SPEAKER else event.label
        return replace(event, speaker=names.get(event.speaker, event.speaker), label=label)

    return replace(
        found,
        measures=tuple(replace(m, speaker=names.get(m.speaker, m.speaker)) for m in found.measures),
        events=tuple(named(event) for event in found.events),
        speakers=tuple(replace(one, speaker=names.get(one.speaker, one.speaker)) for one in found.speakers),
    )
