"""What a value is compared with: the cohort, the person's own sessions, or a rest phase of the same session."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cueflow.tasks.fusion.data.features import FloatArray, IntArray, Matrix

SUBJECT_MIN = 3
SCALE_PRIOR = 10.0  # a person's own spread counts like this many sessions of the cohort's
SCALE_FLOOR = 1e-9
Z_LIMIT = 6.0  # a term never extrapolates beyond this many scales


class Baseline(StrEnum):
    """What values are compared with before anything is learned."""

    NONE = "none"
    COHORT = "cohort"
    SUBJECT = "subject"
    PHASE = "phase"


@dataclass(frozen=True, slots=True)
class Own:
    """A person's own reference for p biomarkers: location, robust scale and how many sessions they rest on."""

    location: FloatArray
    scale: FloatArray
    count: FloatArray


@dataclass(frozen=True, slots=True)
class Block:
    """Sessions of one modality, ready to be scaled.

    `offset` (n, p) is the own or rest reference (0 where the cohort is the reference), `difference` the value minus
    it; `own_scale`, `own_count` (n, p) describe the person's own spread and are None without a subject baseline.
    """

    difference: FloatArray
    offset: FloatArray | None
    own_scale: FloatArray | None = None
    own_count: FloatArray | None = None

    def rows(self, index: IntArray) -> Block:
        """The sessions `index` of it."""
        own_scale = None if self.own_scale is None else self.own_scale[index]
        own_count = None if self.own_count is None else self.own_count[index]
        offset = None if self.offset is None else self.offset[index]
        return Block(self.difference[index], offset, own_scale, own_count)


@dataclass(frozen=True, slots=True)
class Scaler:
    """Location and scale of a training cohort, each (p,), and the range (p,) of scaled values it saw."""

    location: FloatArray
    scale: FloatArray
    low: FloatArray
    high: FloatArray

    def scales(self, block: Block) -> FloatArray:
        """Scale of each value, (p,) or (n, p): a person's own spread is drawn towards the cohort's."""
        if block.own_scale is None or block.own_count is None:
            return self.scale
        spread = np.where(np.isfinite(block.own_scale), block.own_scale, 0.0)
        count = np.where(np.isfinite(block.own_scale), block.own_count, 0.0)
        return np.asarray(np.sqrt((count * spread**2 + SCALE_PRIOR * self.scale**2) / (count + SCALE_PRIOR)))

    def apply(self, block: Block) -> FloatArray:
        """Scaled values (n, p), NaN where missing; not clipped."""
        return np.asarray((block.difference - self.location) / self.scales(block))


def subject_key(subject_id: str) -> str:
    """How a model names a person: a hash, so that the file does not list who took part.

    Parameters
    ----------
    subject_id : str
        As the table names the subject.

    Returns
    -------
    str
        First 16 hex digits of the SHA-256.
    """
    return hashlib.sha256(subject_id.encode()).hexdigest()[:16]


def own_references(matrix: Matrix, subject_ids: Sequence[str]) -> dict[str, Own]:
    """Robust location and scale of every person's own sessions.

    Parameters
    ----------
    matrix : Matrix
        n sessions, p biomarkers.
    subject_ids : sequence of str
        Subject of each session.

    Returns
    -------
    dict
        `subject_key` to reference; NaN where fewer than 3 sessions have the value.
    """
    subjects = np.asarray(subject_ids)
    return {subject_key(who): _own(matrix.values[subjects == who]) for who in np.unique(subjects)}


def _own(values: FloatArray) -> Own:
    count = np.isfinite(values).sum(axis=0).astype(np.float64)
    enough = count >= SUBJECT_MIN
    location, scale = robust(np.where(enough, values, np.nan))
    return Own(location, scale, count)


def robust(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Median and interquartile range / 1.349 of each column.

    Parameters
    ----------
    values : ndarray, shape (n, p)
        NaN where missing.

    Returns
    -------
    location, scale : ndarray, shape (p,)
        NaN for a column without values; where the quartiles agree the scale is the standard deviation.
    """
    p = values.shape[1]
    location, scale = np.full(p, np.nan), np.full(p, np.nan)
    some = np.isfinite(values).any(axis=0)
    if not some.any():
        return location, scale
    low, middle, high = np.nanpercentile(values[:, some], (25, 50, 75), axis=0)
    spread = (high - low) / 1.349
    location[some] = middle
    scale[some] = np.where(spread > SCALE_FLOOR, spread, np.nanstd(values[:, some], axis=0))
    return location, scale


def plain(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each column.

    Parameters
    ----------
    values : ndarray, shape (n, p)
        NaN where missing.

    Returns
    -------
    location, scale : ndarray, shape (p,)
        NaN for a column without values.
    """
    seen = np.isfinite(values)
    count = np.where(seen.any(axis=0), seen.sum(axis=0), np.nan)
    location = np.where(seen, values, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(seen, values - location, 0.0) ** 2).sum(axis=0) / count)
    return location, scale


def to_block(matrix: Matrix, subject_ids: Sequence[str], baseline: Baseline, known: Mapping[str, Own]) -> Block:
    """Take the own or rest reference off every value.

    Parameters
    ----------
    matrix : Matrix
        n sessions, p biomarkers.
    subject_ids : sequence of str
        Subject of each session.
    baseline : Baseline
        What to compare with.
    known : mapping
        References of subjects that the model has met; the others' come from the sessions given (transductive).

    Returns
    -------
    Block
        With NaN where the reference is missing: a value without its reference says nothing.
    """
    if baseline is Baseline.PHASE and matrix.rest is not None:
        return Block(matrix.values - matrix.rest, matrix.rest)
    if baseline is not Baseline.SUBJECT:
        return Block(matrix.values, None)
    found = own_references(matrix, subject_ids) | dict(known)
    people, position = np.unique(np.asarray(subject_ids), return_inverse=True)
    owns = [found[subject_key(who)] for who in people]
    location, scale, count = (
        np.stack([getattr(own, name) for own in owns])[position] for name in ("location", "scale", "count")
    )
    return Block(matrix.values - location, location, scale, count)


def fit_scaler(block: Block, baseline: Baseline) -> Scaler:
    """Location and scale of a training cohort.

    Parameters
    ----------
    block : Block
        Training sessions only.
    baseline : Baseline
        none: mean and standard deviation; otherwise median and interquartile range. With an own or rest reference
        the location is 0: the person is compared with itself.

    Returns
    -------
    Scaler
        Scale NaN for a biomarker that is constant or missing throughout; it then takes no part.
    """
    values = block.difference
    location, scale = plain(values) if baseline is Baseline.NONE else robust(values)
    some = np.isfinite(location)
    if block.offset is not None:
        location = np.where(some, 0.0, np.nan)
    scale = np.where(scale > SCALE_FLOOR * (1 + np.abs(location)), scale, np.nan)
    scaler = Scaler(location, scale, np.zeros_like(scale), np.zeros_like(scale))
    scaled = scaler.apply(block)
    use = np.isfinite(scaled).any(axis=0)
    low, high = np.zeros_like(scale), np.zeros_like(scale)
    if use.any():
        low[use], high[use] = np.nanmin(scaled[:, use], axis=0), np.nanmax(scaled[:, use], axis=0)
    return Scaler(location, scale, np.clip(low, -Z_LIMIT, 0.0), np.clip(high, 0.0, Z_LIMIT))
