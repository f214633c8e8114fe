"""What each modality asks of a signal before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Modality


@dataclass(frozen=True, slots=True)
class Needs:
    """What is asked of a signal: unit ("" for any), slowest rate in Hz, shortest stretch and longest flat in s."""

    unit: str
    slowest_hz: float
    shortest_s: float
    flat_s: float


NEEDS: Mapping[Modality, Needs] = {
    Modality.ECG: Needs("", 50.0, 3.0, 2.0),
    Modality.PPG: Needs("", 20.0, 4.0, 2.0),
    Modality.EDA: Needs("µS", 1.0, 10.0, 60.0),
    Modality.RESPIRATION: Needs("", 3.5, 15.0, 10.0),
    Modality.TEMPERATURE: Needs("°C", 0.1, 1.0, 300.0),
    Modality.ACCELEROMETER: Needs("g", 4.0, 5.0, 300.0),
    Modality.INTERVALS: Needs("ms", 0.0, 0.0, np.inf),
}
"""What each modality asks for; the reader converts units."""


def need_rate(modality: Modality, sampling_rate: float) -> None:
    """Refuse a rate at which the modality cannot be measured.

    Parameters
    ----------
    modality : Modality
        A physiological one.
    sampling_rate : float
        In Hz.

    Raises
    ------
    StreamError
        SAMPLING_RATE_LOW, with both figures.
    """
    slowest = NEEDS[modality].slowest_hz
    if sampling_rate < slowest:
        raise StreamError(
            f"{modality}: {sampling_rate:g} Hz is too slow, at least {slowest:g} Hz are needed.",
            reason=Reason.SAMPLING_RATE_LOW,
        )
