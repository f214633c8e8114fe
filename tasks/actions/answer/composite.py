"""Composite actions as rules over intervals that a person can read and edit; nothing here is learned.

A file names each composite and one of two kinds of rule:

    composites:
      - label: restless talk          # gesture and leg movement overlap for two seconds or more
        first: gesture
        relation: [overlaps, during, contains, equals, starts, finishes]
        second: leg_movement
        min_overlap_s: 2
      - label: nod then smile
        first: nod
        relation: [before, meets]
        second: smile
        max_gap_s: 3
      - label: repeated scratching    # three or more within 20 s
        count: scratch
        at_least: 3
        within_s: 20
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cueflow.schemas.errors import ConfigError
from cueflow.schemas.results import Event

if TYPE_CHECKING:
    from pathlib import Path

RELATIONS = (
    "before", "meets", "overlaps", "starts", "during", "finishes", "equals",
    "after", "met_by", "overlapped_by", "started_by", "contains", "finished_by",
)  # fmt: skip
TOLERANCE_S = 0.25  # ends closer than this count as one: a step of the head at 4 Hz
_PAIR = frozenset({"label", "first", "relation", "second", "min_overlap_s", "max_gap_s", "min_duration_s"})
_COUNT = frozenset({"label", "count", "at_least", "within_s"})


@dataclass(frozen=True, slots=True)
class PairRule:
    """`first` stands in one of `relations` to `second`; spans shorter than `min_duration_s` have no part in it."""

    label: str
    first: str
    relations: frozenset[str]
    second: str
    min_overlap_s: float = 0.0
    max_gap_s: float = float("inf")
    min_duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CountRule:
    """At least `at_least` of one action begin within `within_s`."""

    label: str
    action: str
    at_least: int
    within_s: float


Rule = PairRule | CountRule


def allen(first: Event, second: Event, *, tolerance_s: float = TOLERANCE_S) -> str:
    """Allen's relation of two intervals, ends closer than the tolerance counting as equal.

    Parameters
    ----------
    first, second : Event
        On one clock.
    tolerance_s : float, optional
        0 gives the exact relations.

    Returns
    -------
    str
        One of `RELATIONS`.

    References
    ----------
    Allen (1983), doi:10.1145/182.358434
    """

    def order(a: float, b: float) -> int:
        return 0 if abs(a - b) <= tolerance_s else (-1 if a < b else 1)

    if order(first.end_s, second.start_s) <= 0:
        return "meets" if order(first.end_s, second.start_s) == 0 else "before"
    if order(first.start_s, second.end_s) >= 0:
        return "met_by" if order(first.start_s, second.end_s) == 0 else "after"
    return _TOUCHING[order(first.start_s, second.start_s), order(first.end_s, second.end_s)]


_TOUCHING = {
    (-1, -1): "overlaps", (-1, 0): "finished_by", (-1, 1): "contains",
    (0, -1): "starts", (0, 0): "equals", (0, 1): "started_by",
    (1, -1): "during", (1, 0): "finishes", (1, 1): "overlapped_by",
}  # fmt: skip


def find_composites(rules: Sequence[Rule], actions: Sequence[Event]) -> tuple[Event, ...]:
    """Composite actions of one session.

    Parameters
    ----------
    rules : sequence of Rule
        From `read_rules`.
    actions : sequence of Event
        Detected (or annotated) actions.

    Returns
    -------
    tuple of Event
        Kind "composite", in order of time; score: the lowest of its parts; evidence: the rule in words.
    """
    found: list[Event] = []
    for rule in rules:
        found += _pairs(rule, actions) if isinstance(rule, PairRule) else _counts(rule, actions)
    return tuple(sorted(found, key=lambda e: (e.start_s, e.label)))


def _pairs(rule: PairRule, actions: Sequence[Event]) -> list[Event]:
    long = [e for e in actions if e.end_s - e.start_s >= rule.min_duration_s]
    found = []
    for first in (e for e in long if e.label == rule.first):
        for second in (e for e in long if e.label == rule.second and e is not first):
            relation = allen(first, second)
            overlap = min(first.end_s, second.end_s) - max(first.start_s, second.start_s)  # below 0: a gap
            least = rule.min_overlap_s or -rule.max_gap_s
            if relation in rule.relations and overlap >= least:
                found.append(_composite(rule.label, (first, second), f"{first.label} {relation} {second.label}"))
    return found


def _counts(rule: CountRule, actions: Sequence[Event]) -> list[Event]:
    """Groups do not share an action: each takes as many as its window holds."""
    own = sorted((e for e in actions if e.label == rule.action), key=lambda e: e.start_s)
    found, at = [], 0
    while at < len(own):
        group = [e for e in own[at:] if e.start_s - own[at].start_s <= rule.within_s]
        if len(group) >= rule.at_least:
            found.append(_composite(rule.label, group, f"{len(group)} × {rule.action} within {rule.within_s:g} s"))
        at += len(group) if len(group) >= rule.at_least else 1
    return found


def _composite(label: str, parts: Sequence[Event], words: str) -> Event:
    scores = [e.score for e in parts if e.score is not None]
    return Event(
        "composite",
        label,
        min(e.start_s for e in parts),
        max(e.end_s for e in parts),
        min(scores) if scores else None,
        {"because_of": words},
    )


def read_rules(path: Path) -> tuple[Rule, ...]:
    """Read a file of rules.

    Parameters
    ----------
    path : Path
        YAML or JSON, as the module's head shows.

    Returns
    -------
    tuple of Rule

    Raises
    ------
    ConfigError
        If the file cannot be read, or a rule has an unknown key, relation or number.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path.name}: cannot be read as YAML or JSON") from error
    rows = content.get("composites") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigError(f"{path.name}: needs a list named composites")
    return tuple(_rule(path.name, number, row) for number, row in enumerate(rows, start=1))


def _rule(name: str, number: int, row: Mapping[str, object]) -> Rule:
    known, make = (_COUNT, _count_rule) if "count" in row else (_PAIR, _pair_rule)
    if unknown := sorted(str(key) for key in set(row) - known):
        raise ConfigError(f"{name}: rule {number}: {unknown[0]} is unknown; known are {', '.join(sorted(known))}")
    try:
        return make(row)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{name}: rule {number}: a value is missing or wrong ({error})") from error


def _pair_rule(row: Mapping[str, object]) -> PairRule:
    given = row["relation"]
    relations = frozenset(str(x) for x in given) if isinstance(given, list) else frozenset({str(given)})
    if wrong := relations - set(RELATIONS):
        raise ValueError(f"no relation {min(wrong)}")
    numbers = {key: float(str(row[key])) for key in ("min_overlap_s", "max_gap_s", "min_duration_s") if key in row}
    if any(not value >= 0 for value in numbers.values()):
        raise ValueError("seconds must be 0 or more")
    return PairRule(str(row["label"]), str(row["first"]), relations, str(row["second"]), **numbers)


def _count_rule(row: Mapping[str, object]) -> CountRule:
    least, within = int(str(row["at_least"])), float(str(row["within_s"]))
    if least < 2 or not within > 0:
        raise ValueError("at_least must be 2 or more and within_s above 0")
    return CountRule(str(row["label"]), str(row["count"]), least, within)
