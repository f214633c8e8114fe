"""Units of physiological signals, converted to the one that each modality is computed in."""

from __future__ import annotations

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Modality

# Per modality: the unit of its measures, and the factor from each unit that may stand in a manifest or header.
_ARBITRARY = {"": 1.0, "a.u.": 1.0, "au": 1.0, "1": 1.0, "v": 1.0, "mv": 1.0, "nu": 1.0, "pm": 1.0}
_FACTORS: dict[Modality, tuple[str, dict[str, float]]] = {
    Modality.ECG: ("mV", {"": 1.0, "mv": 1.0, "v": 1e3, "uv": 1e-3, "a.u.": 1.0, "au": 1.0}),
    Modality.EDA: ("µS", {"": 1.0, "us": 1.0, "microsiemens": 1.0, "ns": 1e-3, "ms": 1e3, "s": 1e6}),
    Modality.PPG: ("a.u.", _ARBITRARY),
    Modality.RESPIRATION: ("a.u.", _ARBITRARY | {"l": 1.0, "l/s": 1.0, "ohm": 1.0}),
    Modality.TEMPERATURE: ("°C", {"": 1.0, "°c": 1.0, "c": 1.0, "degc": 1.0, "celsius": 1.0}),
    Modality.ACCELEROMETER: (
        "g",
        {"": 1.0, "g": 1.0, "mg": 1e-3, "m/s2": 1 / 9.80665, "m/s²": 1 / 9.80665, "1/64g": 1 / 64},
    ),
    Modality.INTERVALS: ("ms", {"": 1.0, "ms": 1.0, "s": 1e3}),
}


def conversion(modality: Modality, unit: str) -> tuple[float, str]:
    """Factor into the unit that a modality is computed in, and that unit.

    Parameters
    ----------
    modality : Modality
        A physiological modality.
    unit : str
        As the manifest or the file gives it; empty: it is the expected one already.

    Returns
    -------
    tuple of float and str

    Raises
    ------
    StreamError
        If the unit is not one of the modality's.
    """
    expected, factors = _FACTORS[modality]
    name = unit.strip().lower().replace("μ", "u").replace("µ", "u").replace(" ", "")
    if name not in factors:
        known = ", ".join(sorted(f for f in factors if f))
        raise StreamError(f"unit {unit[:20]!r} of {modality}: write one of {known}", reason=Reason.UNIT_UNKNOWN)
    return factors[name], expected
