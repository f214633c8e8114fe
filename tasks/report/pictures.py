"""Pictures and short films of what was found in a recording, inside a session's page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cueflow.tasks.report.text import clock

MOST_FILM = 350_000  # bytes; a larger film is left out, its picture stays
MOST_ALL = 2_200_000  # bytes of all films


@dataclass(frozen=True, slots=True)
class Found:
    """An interval on the session clock: what a model found there with its score, or people drawn (no label, no score).

    Picture as WebP, film as MPEG-4.
    """

    label: str
    start_s: float
    end_s: float
    score: float | None
    picture: bytes
    film: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure of the page; `film` is empty where it would be too large, `score` where people are drawn."""

    label: str
    when: str
    span: str
    score: str
    picture: str
    film: str


def shown_pictures(found: Sequence[Found]) -> tuple[Shown, ...]:
    """Figures in order of time; films are kept while there is room, people first, then the best scores."""
    room, kept = MOST_ALL, set()
    for k in sorted(range(len(found)), key=lambda k: -(np.inf if (score := found[k].score) is None else score)):
        size = len(found[k].film)
        if size <= min(MOST_FILM, room):
            kept.add(k)
            room -= size
    figures = [
        Shown(
            label=one.label,
            when=f"{clock(one.start_s, tenths=True)} to {clock(one.end_s, tenths=True)}",
            span=f"{one.start_s:g} {one.end_s:g}",
            score="" if one.score is None else f"{one.score:.2f}",
            picture=_href("image/webp", one.picture),
            film=_href("video/mp4", one.film) if k in kept else "",
        )
        for k, one in enumerate(found)
    ]
    return tuple(figures[k] for k in sorted(range(len(found)), key=lambda k: found[k].start_s))


def _href(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
