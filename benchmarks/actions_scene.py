"""Long simulated sessions with known actions, drawn from real pictures straight into arrays.

Two hands (oval cuttings of real photographs) lie before a real picture all the time, so that no class shows in what is
there, only in how it moves, where it is, what goes on beside it and what came before. Camera pans and jolts, changes
of light, a picture that drifts through, and hand movements that are no class disturb.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cueflow.tasks.actions.data.labels import Action

Frames = Iterator[tuple[np.ndarray, np.ndarray]]
SIZE, RATE = 224, 8.0
CANVAS = 2 * SIZE  # drawn twice as large and averaged, so that a tenth of a pixel is to be seen
EDGE = CANVAS // 4  # what the picture behind has more, for the camera to move over
FIRST_HAND = ("sweep", "bounce", "circle left", "circle right", "to the right", "tremble", "rest", "")
AFTER = {"sweep": "answer", "circle left": "startle", "circle right": "startle"}
CLASSES = (
    "answer", "bounce", "circle left", "circle right", "fidget", "lean", "rest", "soothe", "startle", "sweep",
    "to the left", "to the right", "tremble",
)  # fmt: skip
ORDERED = ("answer", "startle", "soothe", "fidget", "to the left")
MOTION = tuple(c for c in CLASSES if c != "rest")


@dataclass(frozen=True, slots=True)
class Nuisance:
    """How much disturbs: grey levels of sensor noise and of flicker, share of light that comes and goes, camera."""

    noise: float = 2.0
    flicker: float = 0.0
    light: float = 0.2
    camera: float = 1.0


CLEAN = Nuisance()
HARSH = Nuisance(noise=44.0, flicker=45.0, light=0.35)  # of which a picture of half the side keeps 22


@dataclass(frozen=True, slots=True)
class Move:
    """One movement of a hand (0 or 1), or of the whole picture (2); `label` is empty where it is no class."""

    hand: int
    kind: str
    label: str
    start_s: float
    end_s: float
    hz: float
    size: float


@dataclass(frozen=True, slots=True)
class Script:
    """One session: whose it is, how long, and all that happens."""

    session_id: str
    subject_id: str
    seconds: float
    moves: tuple[Move, ...]
    seed: int

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is to be found."""
        return tuple(Action(m.label, m.start_s, m.end_s) for m in self.moves if m.label)


def write_scripts(subjects: int, minutes: float, *, seed: int) -> list[Script]:
    """One session a subject, everything drawn from the seed.

    Parameters
    ----------
    subjects : int
        How many.
    minutes : float
        Length of each.
    seed : int
        Of all.

    Returns
    -------
    list of Script
    """
    return [_script(k, minutes * 60, seed * 1000 + k) for k in range(subjects)]


def _script(number: int, seconds: float, seed: int) -> Script:
    rng = np.random.default_rng(seed)
    pace = rng.uniform(0.85, 1.2)  # a subject's own
    first = _first_hand(rng, seconds, pace)
    second = _second_hand(rng, first, seconds, pace)
    leans, t = [], rng.exponential(15)
    while t < seconds - 6:
        length = rng.uniform(3, 5)
        leans.append(Move(2, "lean", "lean", t, t + length, 1 / length, rng.uniform(0.06, 0.1)))
        t += length + 4 + rng.exponential(18)
    moves = tuple(sorted([*first, *second, *leans], key=lambda m: m.start_s))
    return Script(f"s{number:02d}", f"p{number:02d}", seconds, moves, seed)


def _first_hand(rng: np.random.Generator, seconds: float, pace: float) -> list[Move]:
    moves: list[Move] = []
    t, away = rng.uniform(1, 4), False
    while t < seconds - 16:
        kind = "to the left" if away and rng.random() < 0.6 else str(rng.choice(FIRST_HAND))
        if away and kind == "to the right":
            kind = "to the left"
        away = {"to the right": True, "to the left": False}.get(kind, away)
        length = {"rest": rng.uniform(9, 14), "to the right": 1.5, "to the left": 1.5}.get(kind, rng.uniform(3, 5.5))
        hz = pace * {"tremble": rng.uniform(1.2, 1.6)}.get(kind, rng.uniform(0.45, 0.75))
        size = {"tremble": 0.018, "rest": 0.25, "": 0.09}.get(kind, rng.uniform(0.07, 0.12))
        moves.append(Move(0, kind or "diagonal", kind, t, t + length, hz, size))
        t += length + 1.5 + rng.exponential(2.5)
    return moves


def _second_hand(rng: np.random.Generator, first: list[Move], seconds: float, pace: float) -> list[Move]:
    """The same short nod is called by what came before, the same rubbing by what goes on beside it."""
    wanted: list[tuple[float, str, str]] = []
    for m in first:
        if m.kind in AFTER and rng.random() < 0.75:
            wanted.append((m.end_s + rng.uniform(4.5, 9), "nod", AFTER[m.kind]))
        if m.kind == "rest" and rng.random() < 0.8:
            wanted.append((rng.uniform(m.start_s + 2, m.end_s - 5), "rub", "soothe"))
    quiet = [t for t in np.arange(5, seconds - 10, 9.0) if not any(_rests(m, t - 1, t + 5) for m in first)]
    wanted += [(float(t), "rub", "fidget") for t in quiet if rng.random() < 0.35]
    moves: list[Move] = []
    free = 0.0
    for start, kind, label in sorted(wanted):
        length = 2.2 if kind == "nod" else rng.uniform(2.5, 4)
        if start < free or start + length > seconds - 1:
            continue
        hz = pace * (0.9 if kind == "nod" else 0.6)
        moves.append(Move(1, kind, label, start, start + length, hz, 0.05 if kind == "nod" else 0.06))
        free = start + length + 0.6
    return moves


def _rests(move: Move, start: float, end: float) -> bool:
    return move.kind == "rest" and move.start_s < end and move.end_s > start


@dataclass(frozen=True, slots=True)
class Look:
    """What a subject's scene is made of: a picture behind, three oval cuttings, and where the hands are at home."""

    behind: np.ndarray
    cuttings: tuple[np.ndarray, ...]
    home: tuple[tuple[float, float], ...]


def make_look(pictures: list[np.ndarray], number: int, seed: int) -> Look:
    """A subject's scene from real pictures; every subject has its own picture behind."""
    rng = np.random.default_rng(seed + 77)
    behind = _sized(_square(pictures[number % len(pictures)]), CANVAS + EDGE)
    others = rng.choice([k for k in range(len(pictures)) if k != number % len(pictures)], 3, replace=False)
    shares = (rng.uniform(0.27, 0.33), rng.uniform(0.24, 0.29), rng.uniform(0.2, 0.26))
    cuttings = tuple(_oval(_square(pictures[k]), round(s * CANVAS)) for k, s in zip(others, shares, strict=True))
    home = ((rng.uniform(0.26, 0.36), rng.uniform(0.55, 0.68)), (rng.uniform(0.66, 0.76), rng.uniform(0.66, 0.76)))
    return Look(behind, cuttings, home)


def _square(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _sized(picture: np.ndarray, side: int) -> np.ndarray:
    how = cv2.INTER_AREA if side < picture.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(picture, (side, side), interpolation=how)


def _oval(picture: np.ndarray, size: int) -> np.ndarray:
    """The middle of a picture as RGBA with a soft oval edge, floats."""
    side = picture.shape[0]
    middle = picture[side // 5 : -side // 5, side // 5 : -side // 5]
    small = _sized(middle, size).astype(np.float32)
    y, x = (np.mgrid[:size, :size] + 0.5) / size * 2 - 1
    alpha = np.clip((1 - np.hypot(x, y)) * 6, 0, 1).astype(np.float32)
    return np.dstack([small, alpha])


def read_pictures(folder: Path) -> list[np.ndarray]:
    """All photographs under a folder, RGB, in the order of their names."""
    found = [cv2.imread(str(p)) for p in sorted(folder.rglob("*.jpg"))]
    kept = [cv2.cvtColor(p, cv2.COLOR_BGR2RGB) for p in found if p is not None]
    if len(kept) < 8:
        raise SystemExit(f"{folder} holds {len(kept)} photographs; at least 8 are needed")
    return kept


def _offset(move: Move, t: float, seconds: float) -> tuple[float, float]:
    """Where a movement has a hand, in shares of the picture."""
    part = t - move.start_s
    phase = 2 * math.pi * move.hz * part
    ease = min(1.0, part / 0.4, (seconds - part) / 0.4)
    swing = ease * move.size * math.sin(phase)
    return {
        "sweep": (swing, 0.0),
        "bounce": (0.0, swing),
        "diagonal": (0.7 * swing, 0.7 * swing),
        "tremble": (swing, 0.3 * swing),
        "circle left": (ease * move.size * math.cos(phase), -swing),
        "circle right": (ease * move.size * math.cos(phase), swing),
        "nod": (0.0, swing),
        "rub": (swing, 0.4 * swing),
        "rest": (0.12 * _ramp(part, seconds), -move.size * _ramp(part, seconds)),
    }.get(move.kind, (0.0, 0.0))


def _ramp(part: float, seconds: float) -> float:
    return float(np.clip(min(part, seconds - part) / 1.2, 0, 1))


def _place(script: Script, look: Look, hand: int, t: float) -> tuple[float, float]:
    x, y = look.home[hand]
    for move in script.moves:
        if move.hand != hand or move.start_s > t:
            continue
        if move.kind in {"to the right", "to the left"}:
            share = min(1.0, (t - move.start_s) / (move.end_s - move.start_s))
            x += (0.2 if move.kind == "to the right" else -0.2) * share
        elif t < move.end_s:
            dx, dy = _offset(move, t, move.end_s - move.start_s)
            x, y = x + dx, y + dy
    return x, y


def frames(
    script: Script, look: Look, nuisance: Nuisance, *, batch: int = 64
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The session's frames.

    Parameters
    ----------
    script, look : Script, Look
        What happens, and what is to be seen.
    nuisance : Nuisance
        What disturbs.
    batch : int, optional
        Frames at a time.

    Yields
    ------
    tuple
        Times (n,) in s and pictures (n, SIZE, SIZE, 3), uint8 RGB.
    """
    rng = np.random.default_rng(script.seed + 5)
    count = int(script.seconds * RATE)
    camera, light = _camera(rng, count, nuisance.camera), _slow(rng, count, 8.0)
    drift = _drift(rng, count)
    for first in range(0, count, batch):
        numbers = np.arange(first, min(first + batch, count))
        pictures = [_draw(script, look, k / RATE, camera=camera[k], drift=drift[k]) for k in numbers]
        gains = 1 + nuisance.light * np.clip(light[numbers], -1, 1)
        shown = np.stack(pictures) * gains.astype(np.float32)[:, None, None, None]
        shown += (nuisance.flicker * rng.uniform(-0.5, 0.5, (len(numbers), 1, 1, 1))).astype(np.float32)
        shown += np.float32(nuisance.noise) * rng.standard_normal(shown.shape, dtype=np.float32)
        yield numbers / RATE, np.clip(shown, 0, 255).astype(np.uint8)


def _slow(rng: np.random.Generator, count: int, memory_s: float) -> np.ndarray:
    keep = math.exp(-1 / (RATE * memory_s))
    steps = rng.normal(0, math.sqrt(1 - keep**2), count)
    out = np.zeros(count)
    for k in range(1, count):
        out[k] = keep * out[k - 1] + steps[k]
    return out


def _camera(rng: np.random.Generator, count: int, strength: float) -> np.ndarray:
    """Slow pan and sway with a jolt now and then, in pixels of the canvas: (count, 2)."""
    path = np.stack([0.036 * _slow(rng, count, 12.0), 0.024 * _slow(rng, count, 12.0)], axis=1)
    for start in np.flatnonzero(rng.random(count) < 1 / (25 * RATE)):
        path[start : start + round(0.75 * RATE)] += rng.normal(0, 0.036, 2)
    return np.clip(strength * path, -0.107, 0.107) * CANVAS


def _drift(rng: np.random.Generator, count: int) -> np.ndarray:
    """Place of the picture that drifts through, in shares; far outside where it is away: (count, 2)."""
    out, k = np.full((count, 2), -9.0), 0
    while k < count:
        length = int(rng.uniform(5, 10) * RATE)
        if rng.random() < 0.35:
            start, angle = rng.uniform(0.1, 0.9, 2), rng.uniform(0, 2 * math.pi)
            t = np.arange(min(length, count - k)) / RATE
            wobble = 0.05 * np.sin(2 * math.pi * rng.uniform(0.4, 0.8) * t)
            out[k : k + length, 0] = start[0] + 0.06 * math.cos(angle) * t + wobble
            out[k : k + length, 1] = 0.3 * start[1] + 0.06 * math.sin(angle) * t + wobble
        k += length
    return out


def _draw(script: Script, look: Look, t: float, *, camera: np.ndarray, drift: np.ndarray) -> np.ndarray:
    zoom = 1.0
    for move in script.moves:
        if move.hand == 2 and move.start_s <= t < move.end_s:
            zoom += move.size * math.sin(math.pi * (t - move.start_s) * move.hz)
    middle = (CANVAS + EDGE) / 2
    matrix = np.array(
        [[zoom, 0, CANVAS / 2 - zoom * middle + camera[0]], [0, zoom, CANVAS / 2 - zoom * middle + camera[1]]]
    )
    flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REFLECT}
    canvas = cv2.warpAffine(look.behind, matrix, (CANVAS, CANVAS), **flags)
    canvas = canvas.astype(np.float32)
    places = [_place(script, look, 0, t), _place(script, look, 1, t), (float(drift[0]), float(drift[1]))]
    for cutting, (x, y) in zip(look.cuttings, places, strict=True):
        if -0.3 < x < 1.3:
            canvas = _laid(canvas, cutting, x=_seen(x, zoom, camera[0]), y=_seen(y, zoom, camera[1]), zoom=zoom)
    return cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def _seen(place: float, zoom: float, camera: float) -> float:
    return CANVAS / 2 + zoom * (place - 0.5) * CANVAS + camera


def _laid(canvas: np.ndarray, cutting: np.ndarray, *, x: float, y: float, zoom: float) -> np.ndarray:
    """The canvas with a cutting laid over it, in place; only where it lies is touched."""
    half = zoom * cutting.shape[0] / 2
    left, top = (int(np.clip(math.floor(v - half) - 1, 0, CANVAS)) for v in (x, y))
    right, bottom = (int(np.clip(math.ceil(v + half) + 1, 0, CANVAS)) for v in (x, y))
    if right <= left or bottom <= top:
        return canvas
    matrix = np.array([[zoom, 0, x - half - left], [0, zoom, y - half - top]])
    moved = cv2.warpAffine(cutting, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    part, alpha = canvas[top:bottom, left:right], moved[..., 3:]
    part += alpha * (moved[..., :3] - part)
    return canvas
