"""The body's recorders: a chest strap (ECG, breathing) and a wristband (pulse, skin, acceleration, temperature)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.effects import Kind
from cueflow.tasks.simulate.heart import ecg_wave, pulse_wave, wander
from cueflow.tasks.simulate.plan import DEVICE_OF, Plan
from cueflow.tasks.simulate.slow import acceleration, breathing, conductance

RATES = {"chest": 250.0, "wrist": 64.0}
CHANNELS: dict[Kind, tuple[tuple[str, str], ...]] = {
    "ecg": (("ecg", "mV"),),
    "respiration": (("respiration", "a.u."),),
    "ppg": (("ppg", "a.u."),),
    "eda": (("eda", "µS"),),
    "accelerometer": (("acc_x", "g"), ("acc_y", "g"), ("acc_z", "g")),
    "temperature": (("temperature", "°C"),),
}
_SEEDS: dict[Kind, int] = {"ecg": 40, "respiration": 41, "ppg": 42, "eda": 43, "accelerometer": 44, "temperature": 45}


@dataclass(frozen=True, slots=True)
class Recording:
    """What a device holds: local times (n,), one column per channel, and which gaps are rows of NaN."""

    times_s: FloatArray
    columns: dict[str, FloatArray]
    units: dict[str, str]
    rate: float


def _signal(plan: Plan, kind: Kind, session_s: FloatArray) -> FloatArray:
    """A modality's values, shape (n,) or (n, channels)."""
    rng, body, n = plan.rng(_SEEDS[kind]), plan.body, len(session_s)
    if kind == "ecg":
        return ecg_wave(session_s, body.beats) + wander(rng, session_s, 0.05) + rng.normal(0.0, 0.012, n)
    if kind == "ppg":
        return pulse_wave(session_s, body.beats) + wander(rng, session_s, 0.06) + rng.normal(0.0, 0.008, n)
    if kind == "respiration":
        return breathing(session_s, body.breaths, body.depths) + rng.normal(0.0, 0.008, n)
    if kind == "eda":
        return conductance(rng, session_s, body.responses, body.amplitudes) + rng.normal(0.0, 0.002, n)
    if kind == "accelerometer":
        return acceleration(rng, session_s, [e for e in plan.behaviour if e.kind == "hand_motion"])
    return 33.0 + wander(rng, session_s / 4.0, 0.3) + rng.normal(0.0, 0.01, n)


def record(plan: Plan, device: str) -> Recording | None:
    """What a device records.

    Parameters
    ----------
    plan : Plan
        The session.
    device : str
        "chest" or "wrist".

    Returns
    -------
    Recording or None
        On the device's own clock, without gaps; None if the session has none of its modalities.
    """
    kinds = [kind for kind in CHANNELS if DEVICE_OF[kind] == device and kind in plan.modalities]
    if not kinds:
        return None
    clock, rate = plan.clocks[device], RATES[device]
    times = np.arange(int(float(clock.local(plan.duration_s)) * rate)) / rate
    session = clock.session(times)
    columns: dict[str, FloatArray] = {}
    units: dict[str, str] = {}
    for kind in kinds:
        values = _signal(plan, kind, session).reshape(len(times), -1)
        for k, (channel, unit) in enumerate(CHANNELS[kind]):
            columns[channel], units[channel] = values[:, k], unit
    return Recording(times, columns, units, rate)


def cut(plan: Plan, device: str, recording: Recording) -> Recording:
    """Take the device's gaps out: every other gap by dropping its rows, the rest as NaN.

    Parameters
    ----------
    plan : Plan
        The session.
    device : str
        "chest" or "wrist".
    recording : Recording
        Whole.

    Returns
    -------
    Recording
        With gaps.
    """
    session = plan.clocks[device].session(recording.times_s)
    keep = np.ones(len(session), dtype=bool)
    columns = {name: values.copy() for name, values in recording.columns.items()}
    for number, (onset, length) in enumerate(plan.gaps[device]):
        inside = (session >= onset) & (session < onset + length)
        if number % 2 == 0:
            keep &= ~inside
        else:
            for values in columns.values():
                values[inside] = np.nan
    return Recording(
        recording.times_s[keep],
        {name: values[keep] for name, values in columns.items()},
        recording.units,
        recording.rate,
    )


def write_csv(path: Path, recording: Recording) -> None:
    """Write `time_s` and one column per channel; a missing value is an empty cell.

    Parameters
    ----------
    path : Path
        The file.
    recording : Recording
        What to write.
    """
    import polars as pl

    frame = pl.DataFrame({"time_s": np.round(recording.times_s, 6)} | {
        name: np.round(values, 5) for name, values in recording.columns.items()
    })  # fmt: skip
    frame.with_columns(pl.all().fill_nan(None)).write_csv(path)


def write_edf(path: Path, recording: Recording) -> None:
    """Write an EDF file with one signal per channel and no personal data in its header.

    Parameters
    ----------
    path : Path
        The file.
    recording : Recording
        Without gaps; padded with its last value to a whole second.
    """
    import pyedflib

    rate = round(recording.rate)
    signals, headers = [], []
    for name, values in recording.columns.items():
        padded = np.concatenate([values, np.full(-len(values) % rate, values[-1])])
        low, high = float(np.floor(padded.min() - 0.5)), float(np.ceil(padded.max() + 0.5))
        unit = recording.units[name].replace("µ", "u")
        headers.append(
            pyedflib.highlevel.make_signal_header(
                name, dimension=unit, sample_frequency=rate, physical_min=low, physical_max=high
            )
        )
        signals.append(padded)
    with pyedflib.EdfWriter(str(path), len(signals), file_type=pyedflib.FILETYPE_EDF) as file:
        file.setSignalHeaders(headers)
        file.writeSamples(signals)
