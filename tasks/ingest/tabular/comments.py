"""What the comment lines above a text table say: BioSPPy's simple format, OpenSignals (BITalino, biosignalsplux)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cueflow.tasks.ingest.raw import wall_seconds

COUNTS = "adc"
"""Unit of values as the converter gave them; only an ECG, a pulse or a breathing wave may be measured in it."""
_OPEN_SIGNALS = "opensignals text file format"
_NO_SENSOR = frozenset({"", "raw", "custom"})
_FASTEST_HZ = 1e6


@dataclass(frozen=True, slots=True)
class Comments:
    """Rate in Hz (None: not said), names of the columns (empty: not said), unit of all of them ("" not said).

    `began_s` is the start in seconds since 1970 by the clock on the wall.
    """

    sampling_rate: float | None = None
    names: tuple[str, ...] = ()
    unit: str = ""
    began_s: float | None = None


def comments_of(lines: Sequence[str]) -> Comments:
    """Read the comment lines above a table.

    Only the rate, the columns, the unit and the start are taken; ids of devices and remarks are left where they are.

    Parameters
    ----------
    lines : sequence of str
        Those that start with `#`.

    Returns
    -------
    Comments
        Empty where the lines are free text, or a header that cannot be read.
    """
    bare = [line.strip().lstrip("#").strip() for line in lines]
    if bare and bare[0].casefold().startswith(_OPEN_SIGNALS):
        return _open_signals(next((line for line in bare if line.startswith("{")), ""))
    return _simple(dict(_pair(line) for line in bare if ":=" in line))


def _pair(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":=")
    return key.strip().casefold(), value.strip()


def _simple(said: Mapping[str, str]) -> Comments:
    names = tuple(name.strip() for name in said.get("labels", "").split("\t") if name.strip())
    unit = said.get("units", "")
    if not unit and (_positive(said.get("resolution")) or 0) > 1:
        unit = COUNTS
    return Comments(_positive(said.get("sampling rate (hz)")), names, unit)


def _open_signals(text: str) -> Comments:
    try:
        devices = json.loads(text)
    except (ValueError, RecursionError):
        return Comments()
    if not isinstance(devices, dict) or not all(isinstance(device, dict) for device in devices.values()):
        return Comments()
    names = [name for device in devices.values() for name in _columns(device)]
    rates = {_positive(device.get("sampling rate")) for device in devices.values()}
    unique = tuple(sensor if names.count((sensor, label)) == 1 and _once(names, sensor) else label
                   for sensor, label in names)  # fmt: skip
    starts = {_wall(f"{device.get('date')}-{device.get('time')}") for device in devices.values()}
    return Comments(
        rates.pop() if len(rates) == 1 else None, unique, COUNTS, starts.pop() if len(starts) == 1 else None
    )


def _wall(text: str) -> float | None:
    digits = re.split(r"[-:.]", text)[:6]
    return (
        wall_seconds(*map(int, digits))
        if len(digits) == 6 and all(d.isascii() and d.isdigit() for d in digits)
        else None
    )


def _once(names: Sequence[tuple[str, str]], sensor: str) -> bool:
    return sensor.casefold() not in _NO_SENSOR and sum(sensor in pair for pair in names) == 1


def _columns(device: Mapping[str, Any]) -> list[tuple[str, str]]:
    # sensor and label of each column; the sensors are listed for the analogue ones only
    sensors = dict(zip(_texts(device.get("label")), _texts(device.get("sensor")), strict=False))
    return [(sensors.get(label, ""), label) for label in _texts(device.get("column"))]


def _texts(value: object) -> list[str]:
    return [str(item).strip() for item in value] if isinstance(value, list) else []


def _positive(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if 0 < number <= _FASTEST_HZ else None
