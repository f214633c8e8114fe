"""How near our eGeMAPSv02 comes to openSMILE's, value by value.

    python benchmarks/egemaps_agreement.py DATA           # by segment: correlation and median relative error
    python benchmarks/egemaps_agreement.py DATA frames    # by frame of two recordings
    python benchmarks/egemaps_agreement.py DATA costs     # how many reach the goals with other costs of the path

DATA has ``speech_reference/egemaps_v02.csv``, ``egemaps_v02_lld.csv`` and the recordings they name. For a value that
misses its goal the correlations of even and of odd rows follow, and the segment without which it is highest.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from cueflow.tasks.audio.geneva.contours import descriptors
from cueflow.tasks.audio.geneva.frames import low_level
from cueflow.tasks.audio.geneva.functionals import egemaps
from cueflow.tasks.audio.geneva.pitch import COSTS, PathCosts

R_MIN, ERROR_MAX = 0.95, 0.05
_KEYS = ("file", "start_s", "end_s", "rate_hz")
_PITCH = "F0semitoneFrom27.5Hz_sma3nz"
_SAME = 2e-3  # semitones, or share of the range of a descriptor: the same but for rounding


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def both_sides(data: Path, costs: PathCosts = COSTS) -> tuple[list[str], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Segments, and values by name, ours and openSMILE's.

    Parameters
    ----------
    data : Path
        Folder of the recordings.
    costs : PathCosts, optional
        Of the path of the pitch.

    Returns
    -------
    tuple
        Names in the published order.
    """
    import soundfile

    rows = _rows(data / "speech_reference" / "egemaps_v02.csv")
    names = [name for name in rows[0] if name not in _KEYS]
    ours: dict[str, list[float]] = {name: [] for name in names}
    for row in rows:
        samples, rate = soundfile.read(data / row["file"], dtype="float32", always_2d=True)
        part = slice(round(float(row["start_s"]) * rate), round(float(row["end_s"]) * rate))
        values = egemaps(samples[part, 0], rate, costs=costs)
        for name in names:
            ours[name].append(values[name])
    segments = [f"{Path(row['file']).stem} from {float(row['start_s']):.0f} s" for row in rows]
    theirs = {name: np.asarray([float(row[name]) for row in rows]) for name in names}
    return segments, {name: np.asarray(values) for name, values in ours.items()}, theirs


def agreement(data: Path, costs: PathCosts = COSTS) -> dict[str, tuple[float, float, int]]:
    """Correlation, median relative error and number of segments by feature.

    Parameters
    ----------
    data : Path
        Folder of the recordings.
    costs : PathCosts, optional
        Of the path of the pitch.

    Returns
    -------
    dict
        In the published order.
    """
    _, ours, theirs = both_sides(data, costs)
    return {name: compared(ours[name], theirs[name]) for name in ours}


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


def by_frame(data: Path) -> None:
    """Print, by descriptor of voiced frames, how many frames differ where the pitch agrees and where it does not.

    Parameters
    ----------
    data : Path
        Folder of the recordings.
    """
    import soundfile

    rows = _rows(data / "speech_reference" / "egemaps_v02_lld.csv")
    for name in dict.fromkeys(row["file"] for row in rows):
        samples, rate = soundfile.read(data / name, dtype="float32", always_2d=True)
        truth = {
            key: np.asarray([float(row[key]) for row in rows if row["file"] == name])
            for key in rows[0]
            if key not in _KEYS
        }
        n = len(truth[_PITCH])
        found = {key: track[:n] for key, track in descriptors(low_level(samples[: 5 * rate, 0], rate)).items()}
        same = np.abs(found[_PITCH] - truth[_PITCH]) < _SAME
        agree = same & np.r_[True, same[:-1]] & np.r_[same[1:], True]
        either = (found[_PITCH] > 0) | (truth[_PITCH] > 0)
        print(
            f"{name}: {either.sum()} frames voiced, in {(either & agree).sum()} the pitch agrees, and its neighbours'"
        )
        for key in (key for key in found if key.endswith("nz") and key != _PITCH):
            both = either & (found[key] != 0) & (truth[key] != 0)
            off = np.abs(found[key] - truth[key]) > _SAME * np.ptp(truth[key][both])
            counts = [f"{(off & part).sum():3d} of {part.sum():3d}" for part in (both & agree, both & ~agree)]
            print(f"  {key:34s} differ: {counts[0]}, where the pitch does: {counts[1]}")


def with_other_costs(data: Path) -> None:
    """Print how many values reach both goals with each cost a tenth lower and higher, and what the first frame's moves.

    Parameters
    ----------
    data : Path
        Folder of the recordings.
    """
    others = [{name: share * value} for name, value in asdict(COSTS).items() for share in (0.9, 1.1)]
    for other in [{}, *others, {"first": 0.0}]:
        found = agreement(data, replace(COSTS, **other)).values()
        print(f"{other or 'as built'}: {sum(r >= R_MIN and error <= ERROR_MAX for r, error, _ in found)}", flush=True)
    segments, ours, theirs = both_sides(data)
    _, without, _ = both_sides(data, replace(COSTS, first=0.0))
    names, mean = _of_pitch(ours), f"{_PITCH}_amean"
    for at in np.flatnonzero(np.nan_to_num(ours[mean]) != np.nan_to_num(without[mean])):
        same = [sum(_same(side, theirs, name)[at] for name in names) for side in (ours, without)]
        pitch = f"{ours[mean][at]:.4f}, without it {without[mean][at]:.4f}, openSMILE {theirs[mean][at]:.4f}"
        print(f"{segments[at]}: mean pitch {pitch}; {same[0]} and {same[1]} of {len(names)} values the same")


def _of_pitch(values: dict[str, np.ndarray]) -> list[str]:
    """The pitch's six plain statistics and the five of voiced stretches."""
    return [name for name in values if "Segment" in name or (name.startswith("F0") and "Slope" not in name)]


def _same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], name: str) -> np.ndarray:
    return np.isclose(np.nan_to_num(ours[name]), theirs[name], rtol=1e-4, atol=0)


def _parts(segments: list[str], ours: np.ndarray, theirs: np.ndarray) -> str:
    even, odd = (compared(ours[at::2], theirs[at::2])[0] for at in (0, 1))
    without = [compared(np.delete(ours, i), np.delete(theirs, i))[0] for i in range(len(ours))]
    best = int(np.argmax(without))
    return f"even {even:.2f}, odd {odd:.2f}, {without[best]:.2f} without {segments[best]}"


def main(data: str, what: str = "segments") -> None:
    """Print the table and the count that reaches the goal.

    Parameters
    ----------
    data : str
        Folder of the recordings.
    what : str, optional
        `segments`, `frames` for the two recordings whose frames are stored, or `costs`.
    """
    if what == "frames":
        by_frame(Path(data))
        return
    if what == "costs":
        with_other_costs(Path(data))
        return
    segments, ours, theirs = both_sides(Path(data))
    found = {name: compared(ours[name], theirs[name]) for name in ours}
    for name, (r, error, n) in found.items():
        hit = r >= R_MIN and error <= ERROR_MAX
        rest = "" if hit else f"  {_parts(segments, ours[name], theirs[name])}"
        print(f"{' ' if hit else 'x'} {name:46s} r {r:6.3f}  median error {error:6.3f}  segments {n}{rest}")
    high = sum(r >= R_MIN for r, _, _ in found.values())
    both = sum(r >= R_MIN and error <= ERROR_MAX for r, error, _ in found.values())
    print(
        f"{high} of {len(found)} with r of {R_MIN} or more; {both} of them with a median error of {ERROR_MAX} or less"
    )
    same = [_same(ours, theirs, name) for name in _of_pitch(ours)]
    print(f"{np.all(same, axis=0).sum()} of {len(segments)} segments agree in {len(same)} values of pitch within 1e-4")


if __name__ == "__main__":
    main(*sys.argv[1:])
