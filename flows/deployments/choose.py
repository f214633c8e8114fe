"""Which sessions a form means: by id or pattern, subject, visit and state."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase

from cueflow.flows.planning.why import Why
from cueflow.schemas.errors import ConfigError
from cueflow.schemas.session import Group, Modality


class Family(StrEnum):
    """Groups of biomarkers that can be asked for; a stage computes all of its own at once."""

    FACE = "face"
    MOTION = "motion"
    VOICE = "voice"
    HEART = "heart"
    PULSE = "pulse"
    SKIN = "skin"
    BREATHING = "breathing"
    TEMPERATURE = "temperature"
    MOVEMENT = "movement"

    @property
    def modalities(self) -> frozenset[Modality]:
        """Recordings that they come from."""
        return _RECORDED[self]

    @property
    def group(self) -> Group:
        """The stage that computes them."""
        return next(modality.group for modality in self.modalities)


_RECORDED: dict[Family, frozenset[Modality]] = {
    Family.FACE: frozenset({Modality.VIDEO}),
    Family.MOTION: frozenset({Modality.VIDEO}),
    Family.VOICE: frozenset({Modality.AUDIO}),
    Family.HEART: frozenset({Modality.ECG, Modality.INTERVALS}),
    Family.PULSE: frozenset({Modality.PPG}),
    Family.SKIN: frozenset({Modality.EDA}),
    Family.BREATHING: frozenset({Modality.RESPIRATION}),
    Family.TEMPERATURE: frozenset({Modality.TEMPERATURE}),
    Family.MOVEMENT: frozenset({Modality.ACCELEROMETER}),
}


class Pick(StrEnum):
    """States that sessions can be chosen by."""

    FAILED = "failed"
    DEGRADED = "degraded"
    OUTDATED = "outdated"
    NEW = "new"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form says; empty means any. Texts hold ids or patterns, separated by commas or lines.

    `since` and `until` are days on which the rows were written; both count.
    """

    sessions: str = ""
    subject: str = ""
    visit: str = ""
    states: tuple[Pick, ...] = ()
    families: tuple[Family, ...] = ()
    since: date | None = None
    until: date | None = None


def choose(found: Sequence[Why], choice: Choice) -> tuple[Why, ...]:
    """The sessions that a form means: those that fit every field that is filled in.

    Parameters
    ----------
    found : sequence of Why
        All sessions of the dataset.
    choice : Choice
        The form.

    Returns
    -------
    tuple of Why
        At least one.

    Raises
    ------
    ConfigError
        If no field is filled in, a plain id is unknown, or nothing fits.
    """
    if choice == Choice():
        raise ConfigError("Say which sessions: by id, subject, visit, day, state or biomarkers; the id * means all.")
    wanted = {name: _listed(getattr(choice, name)) for name in ("sessions", "subject", "visit")}
    _refuse_unknown(wanted["sessions"], {why.session_id for why in found}, "session")
    _refuse_unknown(wanted["subject"], {why.subject_id for why in found}, "subject")
    kept = tuple(
        why
        for why in found
        if _fits(why.session_id, wanted["sessions"])
        and _fits(why.subject_id, wanted["subject"])
        and _fits(why.visit, wanted["visit"])
        and (not choice.states or any(_is(why, state) for state in choice.states))
        and (not choice.families or any(set(why.modalities) & family.modalities for family in choice.families))
        and _within(why.processed, choice.since, choice.until)
    )
    if not kept:
        raise ConfigError("No session of the dataset fits: loosen one of the fields.")
    return kept


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for line in text.splitlines() for part in line.split(",") if part.strip())


def _refuse_unknown(wanted: Sequence[str], known: Collection[str], what: str) -> None:
    unknown = [name for name in wanted if not set(name) & set("*?[") and name not in known]
    if unknown:  # a subject's name stays out of messages; a session's helps
        named = f", the first is {unknown[0]!r}" if what == "session" else ""
        raise ConfigError(f"{len(unknown)} of the {what}s asked for are not in the dataset{named}.")


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _within(day: date | None, since: date | None, until: date | None) -> bool:
    if since is None and until is None:
        return True
    return day is not None and (since or day) <= day <= (until or day)


def _is(why: Why, state: Pick) -> bool:
    return {
        Pick.FAILED: why.status == "failed",
        Pick.DEGRADED: why.status == "degraded",
        Pick.OUTDATED: why.outdated,
        Pick.NEW: not why.status,
        Pick.CHANGED: why.state == "changed",
    }[state]
