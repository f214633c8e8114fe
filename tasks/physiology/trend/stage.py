"""Measures of skin temperature and of movement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import FloatArray, Measure, Recorded, Window
from cueflow.tasks.physiology.blocks import averaged, blocks
from cueflow.tasks.physiology.recording import Basis, Parts, Recording, flattened, mean_or_none, sampled, sd_or_none
from cueflow.tasks.physiology.trend.slow import (
    EPOCH_S,
    Lengths,
    amplitude_deviation,
    lengths,
    slope_per_min,
    steps,
    weighs,
)
from cueflow.tasks.windows import Seconds, per_second, within

ACTIVE_G = 0.0167
GRAVITY_G = (0.02, 0.7, 1.4)
"""Gravity below the first was taken off by the sensor; between the first two, or beyond the last, the unit is another
than is said: g called m/s², or counts."""
WORKING_HZ = 8.0
"""Faster recordings of a temperature are averaged down to about this rate."""


def _temperature(recording: Recording, window: Window, track: tuple[FloatArray, FloatArray]) -> Iterator[Measure]:
    inside = within(track[0], window)
    times, values = track[0][inside], track[1][inside]
    share = recording.observed(window)
    basis = Basis(window, {"s": share * window.duration_s}, share, None, recording.cause(window))
    yield basis.measure("skin_temperature_mean", mean_or_none(values))
    yield basis.measure("skin_temperature_sd", sd_or_none(values))
    yield basis.measure("skin_temperature_min", float(values.min()) if len(values) else None)
    yield basis.measure("skin_temperature_max", float(values.max()) if len(values) else None)
    yield basis.measure("skin_temperature_slope", slope_per_min(times, values))


def temperature_parts(recording: Recording) -> Parts:
    """Measures of skin temperature.

    Parameters
    ----------
    recording : Recording
        In °C.

    Returns
    -------
    Parts
    """
    factor, empty = max(1, int(recording.signal.sampling_rate // WORKING_HZ)), [np.empty(0)]
    tracks = [averaged(recording.signal, piece, factor) for piece in recording.pieces]
    times, values = (np.concatenate([*empty, *(track[k] for track in tracks)]) for k in (0, 1))
    series = per_second("skin_temperature", times, values, start_s=recording.start_s, end_s=recording.end_s)
    return Parts(
        measures=flattened(_temperature(recording, w, (times, values)) for w in recording.windows),
        events=(),
        series=(series,),
        coverage=recording.observed(recording.session),
        quality=None,
    )


def _movement(
    recording: Recording, window: Window, starts_s: FloatArray, epochs: tuple[FloatArray, FloatArray]
) -> Iterator[Measure]:
    inside = (starts_s >= window.start_s) & (starts_s + EPOCH_S <= window.end_s + 1e-6)
    values, stepped = epochs[0][inside], epochs[1][inside]
    share = recording.observed(window)
    basis = Basis(window, {"epochs": float(len(values))}, share, None, recording.cause(window))
    yield basis.measure("acc_deviation_mean", mean_or_none(values))
    yield basis.measure("acc_deviation_sd", sd_or_none(values))
    yield basis.measure("acc_deviation_p80", float(np.percentile(values, 80)) if len(values) else None)
    yield basis.measure("acc_active_share", 100.0 * float(np.mean(values > ACTIVE_G)) if len(values) else None)
    yield basis.measure("acc_steps_count", float(np.round(stepped.sum())))
    yield basis.measure("acc_walking_share", 100.0 * float(np.mean(stepped > 0)) if len(stepped) else None)


def _vector(recording: Recording, window: Window, found: Lengths | None) -> Iterator[Measure]:
    names = ("acc_enmo_mean", "acc_enmo_p95", "acc_l2_mean", "acc_l2_sd", "acc_l2_min", "acc_l2_max")
    if found is None:
        yield from (Measure(name, window, None, Status.ABSENT, Reason.NO_PARTNER, 0.0, 0.0) for name in names)
        return
    inside = (found.starts_s >= window.start_s) & (found.starts_s + EPOCH_S <= window.end_s + 1e-6)
    number = int(inside.sum())
    share = recording.observed(window)
    basis = Basis(window, {"epochs": float(number)}, share, None, recording.cause(window))
    enmo, mean, square = found.enmo[inside], found.mean[inside], found.square[inside]
    values: tuple[float, ...] = (np.nan,) * len(names)
    if number:
        spread = np.sqrt(max(float(square.mean()) - float(mean.mean()) ** 2, 0.0))
        ends = float(found.low[inside].min()), float(found.high[inside].max())
        values = (float(enmo.mean()), float(np.percentile(enmo, 95)), float(mean.mean()), float(spread), *ends)
    yield from (basis.measure(name, value) for name, value in zip(names, values, strict=True))


def movement_parts(recording: Recording, *, axes: Sequence[Recorded] = ()) -> Parts:
    """Measures of one channel of an accelerometer.

    Parameters
    ----------
    recording : Recording
        In g; an axis or the magnitude.
    axes : sequence of Signal or LongSignal, optional
        The three axes of its recorder, or the magnitude itself: without them the vector's length is not known.

    Returns
    -------
    Parts
    """
    signal = recording.signal
    length = lengths(axes, recording.pieces) if axes and all(a.n == signal.n for a in axes) else None
    gravity = np.nan if length is None else weighs(length)
    mistaken = GRAVITY_G[0] < gravity < GRAVITY_G[1] or gravity > GRAVITY_G[2]
    starts, spread = amplitude_deviation(signal, recording.pieces)
    _, stepped = steps(signal, recording.pieces)
    extent = {"start_s": recording.start_s, "end_s": recording.end_s}
    acceleration = Seconds(**extent)
    for block in blocks(signal, 0.0):
        acceleration.add(block.signal.times_s, block.signal.values)
    grid = sampled(recording.start_s, recording.end_s)
    values = np.full(len(grid), np.nan)
    if len(starts):
        index = np.clip(np.searchsorted(starts, grid, side="right") - 1, 0, len(starts) - 1)
        inside = (grid >= starts[index]) & (grid < starts[index] + EPOCH_S)
        values = np.where(inside, spread[index], np.nan)
    return Parts(
        measures=flattened(
            (*_movement(recording, w, starts, (spread, stepped)), *_vector(recording, w, length))
            for w in recording.windows
        ),
        events=(),
        series=(
            per_second("activity", grid, values, **extent),
            acceleration.series("acceleration"),
        ),
        coverage=recording.observed(recording.session),
        quality=None,
        odd=Reason.UNIT_WRONG if mistaken else None,
    )
