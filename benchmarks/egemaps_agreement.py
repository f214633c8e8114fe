"""How near our eGeMAPSv02 comes to openSMILE's, value by value.

Run with the folder of recordings and the stored reference: ``python benchmarks/egemaps_agreement.py DATA``, where DATA
has ``speech_reference/egemaps_v02.csv`` and the recordings it names.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from cueflow.tasks.audio.geneva.functionals import egemaps

R_MIN, ERROR_MAX = 0.95, 0.05
_KEYS = ("file", "start_s", "end_s", "rate_hz")


def agreement(data: Path) -> dict[str, tuple[float, float, int]]:
    """Correlation, median relative error and number of segments by feature.

    Parameters
    ----------
    data : Path
        Folder of the recordings.

    Returns
    -------
    dict
        In the published order.
    """
    import soundfile

    with (data / "speech_reference" / "egemaps_v02.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in _KEYS]
    ours: dict[str, list[float]] = {name: [] for name in names}
    for row in rows:
        samples, rate = soundfile.read(data / row["file"], dtype="float32", always_2d=True)
        part = slice(round(float(row["start_s"]) * rate), round(float(row["end_s"]) * rate))
        values = egemaps(samples[part, 0], rate)
        for name in names:
            ours[name].append(values[name])
    return {n: compared(np.asarray(ours[n]), np.asarray([float(row[n]) for row in rows])) for n in names}


def compared(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, int]:
    """Correlation, median relative error and count where both are defined (openSMILE writes 0 where one is not).

    Parameters
    ----------
    ours, theirs : ndarray, shape (n,)
        Values of the same segments.

    Returns
    -------
    tuple
        Correlation, error, count.
    """
    both = np.isfinite(ours) & (theirs != 0)
    if both.sum() < 3:
        return float("nan"), float("nan"), int(both.sum())
    r = float(np.corrcoef(ours[both], theirs[both])[0, 1])
    return r, float(np.median(np.abs(ours[both] / theirs[both] - 1))), int(both.sum())


def main(data: str) -> None:
    """Print the table and the count that reaches the goal.

    Parameters
    ----------
    data : str
        Folder of the recordings.
    """
    found = agreement(Path(data))
    for name, (r, error, n) in found.items():
        mark = " " if r >= R_MIN and error <= ERROR_MAX else "x"
        print(f"{mark} {name:46s} r {r:6.3f}  median error {error:6.3f}  segments {n}")
    high = sum(r >= R_MIN for r, _, _ in found.values())
    both = sum(r >= R_MIN and error <= ERROR_MAX for r, error, _ in found.values())
    print(
        f"{high} of {len(found)} with r of {R_MIN} or more; {both} of them with a median error of {ERROR_MAX} or less"
    )


if __name__ == "__main__":
    main(sys.argv[1])
