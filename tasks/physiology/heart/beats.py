"""Beats of a heart or pulse: where they are, how much they look alike, and which of them are normal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray, Recorded
from cueflow.tasks.physiology.blocks import blocks, longest_of, owned
from cueflow.tasks.physiology.filters import bandpass, moving_mean
from cueflow.tasks.physiology.heart.artefacts import rhythms
from cueflow.tasks.physiology.heart.ecg import SHAPE_BAND_HZ, complexes, lead_sign, r_peaks
from cueflow.tasks.physiology.heart.ppg import PULSE_BAND_HZ, pulse_peaks
from cueflow.tasks.physiology.segments import BoolArray, Segment, fractional_times
from cueflow.tasks.physiology.variability.intervals import Intervals

HEART_ALIKE, PULSE_ALIKE = 0.66, 0.86
"""A beat that correlates less than this with the typical one does not bound a normal interval (Orphanidou 2015)."""
SHORTEST_S, LONGEST_S = 0.25, 2.5
"""Intervals beyond 240 or 24 beats per minute are no intervals between neighbours."""

LABELS = ("normal", "ectopic", "extra", "unlike")

HEIGHT_S, LEVEL_S = 0.35, 1.0
MAIN_WAVE_S = 0.06
AROUND_S = 30.0
"""That a block of a long recording holds around its own beats: the local level of an ECG looks 7 s to either side."""

PeakFinder = Callable[[FloatArray, float], FloatArray]


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats of one recording, each array (m,).

    `times_s` on the session clock; `piece` the number of the segment; `quality` correlation with the typical beat,
    0 to 1; `unlike` says that it is too low; `ectopic`, `extra`, `missed` as in `Rhythm`; `height` from the lowest
    point shortly before a beat to its top, and `level` of the signal around it, in the signal's unit, NaN at borders;
    `down` is True where the main wave points down.
    """

    times_s: FloatArray
    piece: NDArray[np.int64]
    quality: FloatArray
    unlike: BoolArray
    ectopic: BoolArray
    extra: BoolArray
    missed: BoolArray
    height: FloatArray
    level: FloatArray
    down: BoolArray

    @property
    def trusted(self) -> BoolArray:
        """Beats that bound normal intervals."""
        return ~self.ectopic & ~self.extra & ~self.unlike

    @property
    def labels(self) -> list[str]:
        """One word a beat: normal, ectopic, extra or unlike (its shape is not that of the others)."""
        code = np.where(self.ectopic, 1, np.where(self.extra, 2, np.where(self.unlike, 3, 0)))
        return [LABELS[k] for k in code.tolist()]

    def normal_intervals(self) -> Intervals:
        """Intervals between neighbouring trusted beats; nothing crosses a gap or a flagged beat."""
        spacing = np.diff(self.times_s, prepend=-np.inf)
        joined = ~self.missed & (spacing >= SHORTEST_S) & (spacing <= LONGEST_S)
        return Intervals.between(self.times_s, self.piece, trusted=self.trusted, joined=joined)


def likeness(values: FloatArray, positions: FloatArray, *, before: int, after: int) -> FloatArray:
    """How much each beat looks like the median beat.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Filtered signal.
    positions : ndarray, shape (m,)
        Beats, in samples.
    before, after : int
        Samples around a beat that are compared.

    Returns
    -------
    ndarray, shape (m,)
        Pearson correlation, cut to 0 to 1; 0 for all where there are fewer than three beats to compare.

    References
    ----------
    Orphanidou et al. (2015), doi:10.1109/JBHI.2014.2338351
    """
    if len(positions) < 3:
        return np.zeros(len(positions))
    index = np.round(positions).astype(np.int64)[:, None] + np.arange(-before, after + 1)[None, :]
    cut = values[np.clip(index, 0, len(values) - 1)]
    cut = cut - cut.mean(axis=1, keepdims=True)
    typical = np.median(cut, axis=0)
    typical = typical - typical.mean()
    size = np.linalg.norm(cut, axis=1) * np.linalg.norm(typical)
    match = np.divide(cut @ typical, size, out=np.zeros(len(cut)), where=size > 0)
    return np.asarray(np.clip(match, 0.0, 1.0))


def beats_of(
    signal: Recorded,
    pieces: Sequence[Segment],
    find: PeakFinder,
    *,
    band_hz: tuple[float, float],
    reach_s: tuple[float, float],
    alike: float,
) -> Beats:
    """Find and judge the beats of a recording, segment by segment.

    Parameters
    ----------
    signal : Signal or LongSignal
        The recording.
    pieces : sequence of Segment
        Its usable stretches.
    find : callable
        From values and sampling rate to positions in samples.
    band_hz : tuple of float
        Band in which beats are compared.
    reach_s : tuple of float
        How far before and after a beat it is compared, s.
    alike : float
        Correlation with the typical beat below which a beat is marked.

    Returns
    -------
    Beats
        In order of time. Beats of a recording of several blocks are compared with the typical one of their block: a
        body that lies down shows another heart.
    """
    rate = signal.sampling_rate
    before, after = round(reach_s[0] * rate), round(reach_s[1] * rate)
    parts, since_s = [np.empty((6, 0))], -np.inf
    for block in blocks(signal, AROUND_S):
        filtered, rows, offset = [], [np.empty((6, 0))], 0
        for number, piece in block.pieces(pieces):
            values = block.signal.values[piece.samples]
            found = find(values, rate)
            times = fractional_times(block.signal.times_s[piece.samples], found)
            sizes = heights(values, found, before=round(HEIGHT_S * rate), around=round(LEVEL_S * rate))
            shape = bandpass(values, rate, *band_hz)
            down = points_down(shape, found, reach=max(1, round(MAIN_WAVE_S * rate)))
            rows.append(np.stack([times, np.full(len(found), number), found + offset, *sizes, down]))
            filtered.append(shape)
            offset += len(values)
        table = np.concatenate(rows, axis=1)
        if filtered:
            table[2] = likeness(np.concatenate(filtered), table[2], before=before, after=after)
        own, since_s = owned(table[0], since_s, block.border_s)
        parts.append(table[:, own])
    return _assemble(np.concatenate(parts, axis=1), alike=alike)


def heights(values: FloatArray, positions: FloatArray, *, before: int, around: int) -> FloatArray:
    """How high beats rise, and the level of the signal around them.

    Parameters
    ----------
    values : ndarray, shape (n,)
        One segment, as recorded; of an inverted lead the heights are those of what precedes the wave.
    positions : ndarray, shape (m,)
        Beats, in samples.
    before : int
        Samples before a beat in which its lowest point is looked for.
    around : int
        Samples over which the level is averaged.

    Returns
    -------
    ndarray, shape (2, m)
        Height and level, in the unit of `values`; the height is NaN where the segment begins within `before`.
    """
    if not len(positions):
        return np.empty((2, 0))
    index = np.round(positions).astype(np.int64)
    cut = values[np.clip(index[:, None] + np.arange(-before, 3)[None, :], 0, len(values) - 1)]
    rise = np.where(index >= before, cut[:, -5:].max(axis=1) - cut.min(axis=1), np.nan)
    return np.stack([rise, moving_mean(values, around)[np.clip(index, 0, len(values) - 1)]])


def points_down(shape: FloatArray, positions: FloatArray, *, reach: int) -> FloatArray:
    """Whether the main wave of each beat points down.

    Parameters
    ----------
    shape : ndarray, shape (n,)
        Filtered signal, mean about 0.
    positions : ndarray, shape (m,)
        Beats, in samples.
    reach : int
        Samples either side that belong to a beat.

    Returns
    -------
    ndarray, shape (m,)
        1 or 0.
    """
    index = np.round(positions).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)[None, :]
    cut = shape[np.clip(index, 0, len(shape) - 1)]
    return np.asarray(-cut.min(axis=1) > cut.max(axis=1), dtype=np.float64)


def _assemble(table: FloatArray, *, alike: float) -> Beats:
    """Beats of rows of time, number of the segment, quality, height, level, and whether they point down."""
    piece = table[1].astype(np.int64)
    judged = rhythms(np.split(table[0], np.flatnonzero(np.diff(piece)) + 1))
    return Beats(
        times_s=table[0],
        piece=piece,
        quality=table[2],
        unlike=table[2] < alike,
        ectopic=np.concatenate([r.ectopic for r in judged]),
        extra=np.concatenate([r.extra for r in judged]),
        missed=np.concatenate([r.missed for r in judged]),
        height=table[3],
        level=table[4],
        down=table[5] > 0,
    )


def heart_beats(signal: Recorded, pieces: Sequence[Segment]) -> Beats:
    """R peaks of an electrocardiogram.

    Parameters
    ----------
    signal : Signal or LongSignal
        Any unit; the lead may be inverted.
    pieces : sequence of Segment
        Its usable stretches.

    Returns
    -------
    Beats
    """
    rate = signal.sampling_rate
    sign = 1.0
    if pieces:
        longest = longest_of(signal, pieces)
        shape = bandpass(longest, rate, *SHAPE_BAND_HZ)
        sign = lead_sign(shape, complexes(longest, rate), max(1, round(MAIN_WAVE_S * rate)))

    def find(values: FloatArray, sampling_rate: float) -> FloatArray:
        return r_peaks(values, sampling_rate, sign=sign)

    return beats_of(signal, pieces, find, band_hz=SHAPE_BAND_HZ, reach_s=(0.2, 0.3), alike=HEART_ALIKE)


def pulses(signal: Recorded, pieces: Sequence[Segment]) -> Beats:
    """Systolic peaks of a pulse wave.

    Parameters
    ----------
    signal : Signal or LongSignal
        Any unit, upright.
    pieces : sequence of Segment
        Its usable stretches.

    Returns
    -------
    Beats
    """
    return beats_of(signal, pieces, pulse_peaks, band_hz=PULSE_BAND_HZ, reach_s=(0.25, 0.35), alike=PULSE_ALIKE)
