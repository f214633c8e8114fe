"""Units of physiological signals: what is expected per modality, and how others become it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality

ARBITRARY = "a.u."
INTENSITY = "intensity"
"""Of a pulse wave: light, or the current it makes; it has a true zero."""
EXPECTED: dict[Modality, str] = {
    Modality.ECG: "mV",
    Modality.EDA: "µS",
    Modality.TEMPERATURE: "°C",
    Modality.ACCELEROMETER: "g",
    Modality.INTERVALS: "ms",
    Modality.PPG: ARBITRARY,
    Modality.RESPIRATION: ARBITRARY,
}
# sizes that cannot be, from and to, and what the values are likely in: of an ECG from its lowest to its highest wave,
# with drift, of the others what three quarters do not exceed; a lost electrode and a cold room are no wrong unit
_CANNOT_BE: dict[Modality, tuple[tuple[float, float, str], ...]] = {
    Modality.ECG: ((0.0, 0.02, "V"), (100.0, np.inf, "µV or counts of the converter")),
    Modality.EDA: ((1e-8, 2e-4, "S"), (500.0, np.inf, "nS, or counts of the converter")),
    Modality.TEMPERATURE: ((75.0, 115.0, "°F"), (260.0, 330.0, "K"), (330.0, np.inf, "counts of the converter")),
    Modality.ACCELEROMETER: ((4.0, 40.0, "m/s² or 1/64 g"), (40.0, np.inf, "mg or counts of the converter")),
}
_NAMED = {
    Modality.ECG: "an ECG",
    Modality.EDA: "a skin conductance",
    Modality.TEMPERATURE: "a temperature",
    Modality.ACCELEROMETER: "an acceleration",
}
_ENOUGH, _SOME = 2000, 100  # samples; of an ECG some seconds
_G = 9.80665  # m/s², standard gravity


@dataclass(frozen=True, slots=True)
class Conversion:
    """`value * scale + offset` is in `unit`."""

    scale: float
    offset: float
    unit: str

    def __call__(self, values: FloatArray) -> FloatArray:
        """Converted values, shape (n,)."""
        return values * self.scale + self.offset


# keys are written as `_key` makes them: no spaces, lower case, u for micro
_NAMES: dict[Modality, dict[str, tuple[float, float]]] = {
    Modality.ECG: {
        **dict.fromkeys(("mv", "millivolt", "millivolts"), (1.0, 0.0)),
        **dict.fromkeys(("uv", "microvolt", "microvolts"), (1e-3, 0.0)),
        **dict.fromkeys(("v", "volt", "volts"), (1e3, 0.0)),
        "nv": (1e-6, 0.0),
    },
    Modality.EDA: {
        **dict.fromkeys(("us", "usiemens", "microsiemen", "microsiemens", "umho"), (1.0, 0.0)),
        **dict.fromkeys(("ns", "nanosiemens"), (1e-3, 0.0)),
        **dict.fromkeys(("ms", "millisiemens"), (1e3, 0.0)),
        **dict.fromkeys(("s", "siemens"), (1e6, 0.0)),
    },
    Modality.TEMPERATURE: {
        **dict.fromkeys(("°c", "c", "degc", "degreec", "celsius", "degreescelsius", "ºc"), (1.0, 0.0)),
        **dict.fromkeys(("k", "kelvin"), (1.0, -273.15)),
        **dict.fromkeys(("°f", "f", "degf", "fahrenheit"), (5 / 9, -160 / 9)),
    },
    Modality.ACCELEROMETER: {
        "g": (1.0, 0.0),
        "mg": (1e-3, 0.0),
        **dict.fromkeys(("1/64g", "g/64"), (1 / 64, 0.0)),
        **dict.fromkeys(("m/s2", "m/s^2", "m/s**2", "ms-2", "ms^-2"), (1 / _G, 0.0)),
    },
    Modality.INTERVALS: {
        **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), (1.0, 0.0)),
        **dict.fromkeys(("s", "sec", "second", "seconds"), (1e3, 0.0)),
        "us": (1e-3, 0.0),
    },
}
_LIGHT = frozenset(("na", "ua", "ma", "a", "nw", "uw", "mw", "lux", "cd", "intensity"))
_ARBITRARY = frozenset(("a.u.", "au", "a.u", "arb", "arb.", "arbitrary", "n.u.", "nu", "adc", "counts", "raw", "1"))


def _key(unit: str) -> str:
    folded = unicodedata.normalize("NFKC", unit).replace("μ", "u").casefold()
    return "".join(folded.split()).strip("[]()").replace("μ", "u")


def conversion(modality: Modality, unit: str) -> Conversion:
    """How values in a unit become those that the stage expects.

    Parameters
    ----------
    modality : Modality
        A physiological one.
    unit : str
        As the manifest or the file writes it; empty means the expected one.

    Returns
    -------
    Conversion
        Pulse and breathing waveforms keep their values, in whatever unit, and a pulse wave in units of light or its
        current is marked "intensity"; an ECG in arbitrary units keeps its values too, and is marked "a.u.".

    Raises
    ------
    StreamError
        UNIT_UNKNOWN if the unit is none of the modality's.
    """
    expected = EXPECTED[modality]
    key = _key(unit)
    if modality is Modality.PPG and key in _LIGHT:
        return Conversion(1.0, 0.0, INTENSITY)
    if not key or expected == ARBITRARY:
        return Conversion(1.0, 0.0, expected)
    if modality is Modality.ECG and key in _ARBITRARY:
        return Conversion(1.0, 0.0, ARBITRARY)
    names = _NAMES[modality]
    if key not in names:
        known = ", ".join(sorted(names))
        message = f"the unit {unit.strip()[:20]!r} is not one of {modality.value}: write {expected} or one of {known}"
        raise StreamError(message, reason=Reason.UNIT_UNKNOWN)
    return Conversion(*names[key], expected)


def agreed_unit(modality: Modality, declared: str, said: str) -> str:
    """The unit to convert from, of what the manifest declares and what the file says.

    Parameters
    ----------
    modality : Modality
        A physiological one.
    declared : str
        The manifest's; empty where it says nothing.
    said : str
        The file's; empty where it says nothing.

    Returns
    -------
    str
        The manifest's where it says one.

    Raises
    ------
    StreamError
        UNIT_UNKNOWN if the manifest's is unknown, or both are known and differ in scale.
    """
    if not declared.strip():
        return said
    wanted = conversion(modality, declared)
    if _key(said) in _NAMES.get(modality, {}) and conversion(modality, said) != wanted:
        message = (
            f"the manifest gives {declared.strip()} and the file {said.strip()}: "
            "correct the manifest, or leave its unit empty to take the file's"
        )
        raise StreamError(message, reason=Reason.UNIT_UNKNOWN)
    return declared


def named_unit(modality: Modality, column: str) -> str:
    """The unit in brackets at the end of a column's name, such as `RR-interval [ms]`.

    Parameters
    ----------
    modality : Modality
        A physiological one.
    column : str
        Name of the column.

    Returns
    -------
    str
        Empty where there is none that the modality knows.
    """
    found = re.search(r"[\[(]([^\[\]()]+)[\])]\s*$", column)
    return found.group(1) if found and _key(found.group(1)) in _NAMES.get(modality, {}) else ""


def need_size(modality: Modality, values: FloatArray, unit: str) -> None:
    """Refuse values whose unit cannot be: volts called millivolts, siemens called microsiemens, kelvin called °C.

    Parameters
    ----------
    modality : Modality
        A physiological one.
    values : ndarray, shape (n,)
        In the modality's unit, if `unit` is right; NaN is missing. Flat lines pass, and fewer than 100 samples; of
        an ECG fewer than 2000, or without a unit.
    unit : str
        As the manifest or the file says it; empty where the expected one was taken.

    Raises
    ------
    StreamError
        UNIT_WRONG, with the size that was found and a guess.
    """
    known = values[np.isfinite(values)]
    electric = modality is Modality.ECG
    if len(known) < (_ENOUGH if electric else _SOME) or (electric and not unit.strip()):
        return
    low, high = (float(v) for v in np.percentile(known, [0.5, 99.5]))
    size = high - low if electric else float(np.percentile(np.abs(known), 75.0))
    for least, most, guess in _CANNOT_BE.get(modality, ()):
        if least < size < most and high > low:
            plain = size / abs(conversion(modality, unit).scale)  # by the expected unit
            if plain != size and not any(a < plain < b for a, b, _ in _CANNOT_BE[modality]):
                guess = EXPECTED[modality]  # the manifest names another one
            by = "the unit that is given" if unit.strip() else "the expected unit"
            message = (
                f"{_NAMED[modality]} of {size:.3g} {EXPECTED[modality]} by {by} cannot be: are the values in {guess}?"
            )
            raise StreamError(f"{message} Correct the unit in the manifest", reason=Reason.UNIT_WRONG)
