"""The registry: every biomarker and per-second series by name, checked when it is first imported."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import TypeVar

from cueflow.schemas.biomarkers import (
    body,
    breathing,
    cardiac,
    face,
    face_pulse,
    gaze,
    motion,
    movement,
    pulse,
    relations,
    skin,
    temperature,
    together,
    voice,
)  # fmt: skip
from cueflow.schemas.biomarkers.actions import ACTION_FORMS, action_biomarker, action_slug
from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

__all__ = [
    "ACTION_FORMS",
    "BIOMARKERS",
    "SERIES",
    "Biomarker",
    "Evidence",
    "SeriesSpec",
    "action_biomarker",
    "action_slug",
    "declared_as",
    "find_biomarker",
    "in_order",
    "of_modality",
    "relations_of",
]

T = TypeVar("T", Biomarker, SeriesSpec)
_MODULES = (
    face,
    gaze,
    face_pulse,
    body,
    together,
    motion,
    voice,
    cardiac,
    pulse,
    skin,
    breathing,
    temperature,
    movement,
    relations,
)


def _unique(rows: list[T]) -> MappingProxyType[str, T]:
    found: dict[str, T] = {}
    for row in rows:
        if row.name in found:
            raise ValueError(f"{row.name!r} is declared twice")
        found[row.name] = row
    return MappingProxyType(found)


BIOMARKERS = _unique([b for module in _MODULES for b in module.BIOMARKERS])
_RELATIONS = frozenset(b.name for b in relations.BIOMARKERS)
SERIES = _unique([s for module in _MODULES for s in module.SERIES])


def of_modality(modality: str) -> tuple[Biomarker, ...]:
    """All biomarkers that a stream of this modality yields by itself."""
    return tuple(b for b in BIOMARKERS.values() if b.modality == modality and b.name not in _RELATIONS)


def relations_of(modality: str) -> tuple[Biomarker, ...]:
    """All biomarkers that a stream of this modality yields beside others, a baseline phase, or events."""
    return tuple(b for b in relations.BIOMARKERS if b.modality == modality)


def declared_as(name: str) -> Biomarker:
    """Declaration of any measure, those of a user's own actions too.

    Parameters
    ----------
    name : str
        As in the `biomarkers` table.

    Returns
    -------
    Biomarker

    Raises
    ------
    KeyError
        If nothing of that name is declared.
    """
    found = find_biomarker(name)
    if found is None:
        raise KeyError(name)
    return found


def find_biomarker(name: str) -> Biomarker | None:
    """Declaration of any measure, those of a user's own actions too; None where nothing of that name is declared."""
    return BIOMARKERS.get(name) or action_biomarker(name)


def named_elsewhere(name: str) -> tuple[str, ...]:
    """Measures that other tools, or earlier versions, call so; in any case of letters.

    Parameters
    ----------
    name : str
        A name that may be an alias.

    Returns
    -------
    tuple of str
        Names of biomarkers; empty where nobody calls one so.
    """
    wanted = name.casefold()
    return tuple(b.name for b in BIOMARKERS.values() if wanted in {alias.casefold() for alias in b.aliases})


def in_order(names: Iterable[str]) -> tuple[Biomarker, ...]:
    """Declarations in the order of the registry, one modality after the other; in each, a user's own actions last.

    Parameters
    ----------
    names : iterable of str
        As in the `biomarkers` table; what nothing declares is left out.

    Returns
    -------
    tuple of Biomarker
    """
    wanted = set(names)
    known = [declared for name, declared in BIOMARKERS.items() if name in wanted]
    own = [found for name in sorted(wanted - BIOMARKERS.keys()) if (found := action_biomarker(name))]
    order = list(dict.fromkeys(b.modality for b in (*known, *own)))
    return tuple(sorted([*known, *own], key=lambda b: order.index(b.modality)))
