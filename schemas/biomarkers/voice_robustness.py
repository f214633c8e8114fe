"""How far worse recordings move each measure of the voice.

The figures are in `voice_robustness.csv`, as `python benchmarks/voice_robustness.py DATA rows` prints them.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

CONDITIONS = {
    "noise 20 dB": "noise 20 dB below the speech",
    "noise 10 dB": "noise 10 dB below",
    "reverberation 0.6 s": "reverberation of .6 s",
    "gain -20 dB": "20 dB less gain",
}
"""What was measured, as the benchmark calls it and as people read it."""

ABSOLUTE = frozenset({"dB", "dB/Hz", "1", "st", "count"})
"""Units in which a change is told as it is; in others as a share of the value."""

FROM_TEXT = frozenset({"speech_words_rate", "speech_filled_pause_rate"})
"""Measures that are counted in a transcript."""


def robustness_of(name: str, unit: str) -> str:
    """What worse recordings do to a measure.

    Parameters
    ----------
    name : str
        Name of a biomarker.
    unit : str
        Its unit.

    Returns
    -------
    str
        Median and largest change over up to six recordings, as `CONDITIONS` go; empty where nobody measured it.
    """
    if name in FROM_TEXT:
        return "counted in the transcript: the recording does not move it"
    row = _moved().get(name)
    if row is None:
        return ""
    if not any(row[f"{key} median"] for key in CONDITIONS):
        return "not measured: there was none in the recordings"
    how = f"in {unit}" if unit in ABSOLUTE - {"1", "count"} else "absolute" if unit in ABSOLUTE else "relative"
    parts = ", ".join(
        f"{_plain(row[f'{key} median'])} ({_plain(row[f'{key} largest'])}) for {what}"
        if row[f"{key} median"]
        else f"no value for {what}"
        for key, what in CONDITIONS.items()
    )
    return f"median (largest) change, {how}: {parts}"


def _plain(number: str) -> str:
    return number.removeprefix("0") if number.startswith("0.") else number


@cache
def _moved() -> dict[str, dict[str, str]]:
    with (Path(__file__).parent / "voice_robustness.csv").open(encoding="utf-8", newline="") as file:
        return {row["biomarker"]: row for row in csv.DictReader(file)}
