"""Error, drift, coverage and refusals of the clock estimates of a run, on recordings whose clocks are known.

python benchmarks/clock.py [DRAWS [ROW …]] [--first SEED]    # rows: beats, beats-30, beats-30-jump, …; all without
python benchmarks/clock.py … --lines             # what each draw gave, as JSON, so that machines may share a row
python benchmarks/clock.py summary FILE …        # the table of such lines
python benchmarks/clock.py leads                 # how far the main waves of two leads lie apart
python benchmarks/clock.py bound [DRAWS]         # what marks allow whoever knows which belong together, and the jump
python benchmarks/clock.py chance [DRAWS]        # how far what is shared stands above chance, and what is not
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from clock_draws import TRIALS, Pair, Trial, Worn, beats, drawn, movement, sound
from measure import DATA, heading

from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Modality, Role
from cueflow.tasks.clock.evidence import compare
from cueflow.tasks.clock.lines import Offset


class Row(NamedTuple):
    """A row of the table: what is shared, for how long, and whether a clock jumps."""

    name: str
    minutes: float
    jumps: bool


@dataclass(frozen=True)
class Draw:
    """What one draw gave."""

    name: str
    minutes: float
    jumps: bool
    seed: int
    stranger: bool = False
    placed: bool = False
    spent_s: float = 0.0
    error_s: float = np.nan
    drift_ppm: float = np.nan
    stated_s: float = np.nan
    moments: Sequence[tuple[bool, float]] = ()


def placed(pair: Pair) -> Offset | None:
    """What a run would take."""
    return min(compare(*pair).places, key=lambda place: place.uncertainty_s, default=None)


def strangers(row: Row, seeds: range) -> Iterator[Draw]:
    """What is found between recordings that have nothing in common, a fifth as many."""
    for seed in seeds[: max(len(seeds) // 5, 1)]:
        pair = TRIALS[row.name][0](np.random.default_rng([8, seed]), 60.0 * row.minutes, None)
        yield Draw(*row, seed, stranger=True, placed=placed(pair) is not None)


def draws(row: Row, seeds: range) -> Iterator[Draw]:
    """What is found between recordings with a known clock."""
    duration_s = 60.0 * row.minutes
    for seed in seeds:
        rng = np.random.default_rng([7, seed])
        clock = drawn(rng, duration_s, jumps=row.jumps)
        pair = TRIALS[row.name][0](rng, duration_s, clock)
        began = time.process_time()
        found = placed(pair)
        spent = time.process_time() - began
        if found is None:
            yield Draw(*row, seed, spent_s=spent)
            continue
        moments = [(abs(jump.at_s - clock.at_s) <= jump.within_s, jump.within_s) for jump in found.jumps]
        drift = abs(found.drift_ppm - clock.clock.drift_ppm)
        yield Draw(*row, seed, spent_s=spent, placed=True, error_s=worst(found, clock, duration_s),
                   drift_ppm=drift, stated_s=found.uncertainty_s, moments=moments)  # fmt: skip


def report(row: Row, found: Sequence[Draw]) -> None:
    """Print one row of the table."""
    own, others = ([d for d in found if d.stranger == s] for s in (False, True))
    right = [d for d in own if d.placed]
    errors, widths, drifts = (np.array([getattr(d, f) for d in right]) for f in ("error_s", "stated_s", "drift_ppm"))
    print("| " + " | ".join(
        (row.name, "yes" if row.jumps else "no", f"{row.minutes:g}", f"{len(right)}/{len(own)}",
         f"{sum(d.placed for d in others)}/{len(others)}",
         *_figures(errors, widths, drifts if row.minutes > 5 else np.array([])),
         *_moments([m for d in right for m in d.moments]), f"{np.mean([d.spent_s for d in own]):.2f}")
    ) + " |", flush=True)  # fmt: skip


def summary(paths: Sequence[str]) -> None:
    """Print the table of draws that were written as lines."""
    found: dict[Row, list[Draw]] = {}
    for line in chain.from_iterable(Path(path).read_text(encoding="utf-8").splitlines() for path in paths):
        draw = Draw(**json.loads(line))
        found.setdefault(Row(draw.name, draw.minutes, draw.jumps), []).append(draw)
    seeds = {draw.seed for some in found.values() for draw in some}
    print(heading(f"Clocks, {min(seeds)} ≤ seeds ≤ {max(seeds)}"))
    print(HEAD)
    for row in sorted(found):
        report(row, found[row])


def worst(found: Offset, clock: Worn, duration_s: float) -> float:
    """Largest error in a recording, s, but for the time in which a jump is said to lie."""
    at = np.linspace(0.0, duration_s - 12.0, 2000)
    for jump in found.jumps:
        at = at[np.abs(at - jump.at_s) > jump.within_s]
    return float(np.abs(found.at(at) - clock.true(at)).max())


def _moments(jumped: Sequence[tuple[bool, float]]) -> tuple[str, str]:
    if not jumped:
        return "–", "–"
    held, within = zip(*jumped, strict=True)
    return f"{sum(held)}/{len(held)}", f"{np.median(within):.1f}"


def _figures(errors: FloatArray, widths: FloatArray, drifts: FloatArray) -> tuple[str, ...]:
    if not len(errors):
        return ("–",) * 7
    often = (f"{np.percentile(drifts, q):.1f}" if len(drifts) else "–" for q in (50, 95))
    covered = 100 * float(np.mean(errors <= widths))
    return (
        f"{np.median(errors) * 1e3:.1f}", f"{np.percentile(errors, 95) * 1e3:.1f}", *often,
        f"{np.median(widths) * 1e3:.1f}", f"{covered:.0f}", f"{(errors > 0.25).sum()}",
    )  # fmt: skip


def chance(repeats: int) -> None:
    """Height of the best place over that of the highest surrogate, of recordings with and without a common clock."""
    from unittest.mock import patch

    from cueflow.tasks.clock import offsets, tracks

    def told(trial: Trial, duration_s: float, seed: int, *, same: bool) -> float:
        rng = np.random.default_rng([5, seed])
        pair = trial(rng, duration_s, drawn(rng, duration_s, jumps=False) if same else None)
        seen: list[float] = []

        def spy(found: object, surrogates: Sequence[float]) -> bool:
            seen.append(found.score / max(surrogates))  # type: ignore[attr-defined]
            return False

        with patch.object(offsets, "_significant", spy):
            a, b = pair
            if trial is beats:
                offsets.beats_offset(next(iter(a.beats.values())), next(iter(b.beats.values())))
            elif trial is sound:
                tracks.loudness_offset(a.sound[0], b.sound[0])
            else:
                tracks.movement_offset(a.movement[Role.PATIENT], b.movement[Role.PATIENT])
        return seen[0]

    print(heading("Clocks: the best place over the highest surrogate"))
    print("| shared | min | recordings | lowest of what shares something | highest of what does not |")
    print("|---|---|---|---|---|")
    rows: tuple[tuple[str, Trial, float, int], ...] = (
        ("beats", beats, 120.0, 4 * repeats),
        ("beats", beats, 300.0, 4 * repeats),
        ("sound", sound, 300.0, repeats),
        ("movement", movement, 600.0, repeats),
    )
    for name, trial, duration_s, n in rows:
        same, other = ([told(trial, duration_s, k, same=s) for k in range(n)] for s in (True, False))
        print(f"| {name} | {duration_s / 60:g} | {n} | {min(same):.2f} | {max(other):.2f} |", flush=True)


def bound(seeds: range) -> None:
    """Least squares through marks of which it is known which belong together, and between which two the clock jumped.

    No estimate without a bias has smaller errors (Gauss and Markov): what the presses leave open, nothing can tell.
    """
    print(heading(f"What marks allow, seeds {seeds[0]} to {seeds[-1]}"))
    print("| shared | jump | min | error, ms | 95 % below | drift error, ppm | 95 % below |")
    print("|---|---|---|---|---|---|---|")
    for name, minutes, jumps in ((n, m, j) for n in ("marks", "triggers") for m in (30, 60) for j in (False, True)):
        found = []
        for seed in seeds:
            rng = np.random.default_rng([7, seed])
            clock = drawn(rng, 60.0 * minutes, jumps=jumps)
            told = _told(TRIALS[name][0](rng, 60.0 * minutes, clock), clock)
            if told is not None:
                drift = abs(told.drift_ppm - clock.clock.drift_ppm)
                found.append((1e3 * worst(told, clock, 60.0 * minutes), drift))
        errors, drifts = np.array(found).T
        figures = (f"{np.percentile(some, q):.1f}" for some in (errors, drifts) for q in (50, 95))
        print("| " + " | ".join((name, "yes" if jumps else "no", str(minutes), *figures)) + " |", flush=True)


def _told(pair: Pair, clock: Worn) -> Offset | None:
    """A place through marks whose partners are known; None where fewer than two lie on a side of a jump."""
    from cueflow.tasks.clock.lines import Jump
    from cueflow.tasks.clock.marks import nearest

    ours, theirs = pair[0].marks_s, pair[1].marks_s
    late, after = nearest(ours, clock.true(theirs)) - theirs, (theirs >= clock.at_s).astype(float)
    jumped = np.isfinite(clock.at_s)
    if jumped and min(after.sum(), (1 - after).sum()) < 2:
        return None
    columns = [np.ones(len(theirs)), theirs, *([after] if jumped else [])]
    fit = np.linalg.lstsq(np.stack(columns, axis=1), late, rcond=None)[0]
    k = int(np.searchsorted(theirs, clock.at_s)) if jumped else 0
    middle, half = (theirs[k] + theirs[k - 1]) / 2, (theirs[k] - theirs[k - 1]) / 2
    jumps = (Jump(float(middle), float(fit[2]), float(half)),) if jumped else ()
    return Offset(float(fit[0]), 1e6 * float(fit[1]), 0.0, len(theirs), "marks", jumps)


def leads() -> None:
    """How much later the main wave of one lead comes than that of another, in real recordings."""
    from body_data import bidmc

    from cueflow.tasks.clock.marks import nearest
    from cueflow.tasks.ingest.signals import read_signal
    from cueflow.tasks.physiology.heart.ecg import r_peaks

    print(heading("Main waves of two leads"))
    print("| recording | leads | median, ms | interquartile range, ms |")
    print("|---|---|---|---|")
    waves: dict[str, tuple[float, dict[str, FloatArray]]] = {}
    for name, path, channels in (("MIT-BIH 100", "physio_ecg_gold/mitdb/100.hea", ("MLII", "V5")),
                                 ("a103l", "physio_multi/wfdb/a103l.hea", ("II", "V"))):  # fmt: skip
        found = {c: read_signal(DATA / path, modality=Modality.ECG, channel=c) for c in channels}
        waves[name] = (next(iter(found.values())).sampling_rate, {c: s.values for c, s in found.items()})
    for number in ("01", "05"):
        waves[f"BIDMC {number}"] = (125.0, {c: bidmc(number)[0][c] for c in ("II", "V", "AVR")})
    for name, (rate, of) in waves.items():
        (first, known), *others = ((c, r_peaks(np.nan_to_num(v), rate) / rate) for c, v in of.items())
        for other, beats_s in others:
            late = nearest(beats_s, known) - known
            late = 1e3 * late[np.abs(late) < 0.1]
            quarter = np.subtract(*np.percentile(late, [75, 25]))
            print(f"| {name} | {first}, {other} | {np.median(late):.1f} | {quarter:.1f} |")


def main(arguments: Sequence[str]) -> None:
    """Print the table of docs/methods/clock.md."""
    if arguments == ["leads"]:
        return leads()
    if arguments[:1] == ["summary"]:
        return summary(arguments[1:])
    if arguments[:1] == ["bound"]:
        return bound(range(1000, 1000 + (int(arguments[1]) if arguments[1:] else 300)))
    if arguments[:1] == ["chance"]:
        return chance(int(arguments[1]) if arguments[1:] else 12)
    known = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known.add_argument("draws", nargs="?", type=int, default=20)
    known.add_argument("rows", nargs="*")
    known.add_argument("--first", type=int, default=0, help="seed of the first draw; below 1000 for choosing constants")
    known.add_argument("--lines", action="store_true", help="write what each draw gave, for summary")
    said = known.parse_args(arguments)
    table(said.rows, range(said.first, said.first + said.draws), lines=said.lines)
    return None


def table(names: Sequence[str], seeds: range, *, lines: bool) -> None:
    """Draw, and print rows or what each draw gave."""
    rows = [
        Row(name, minutes, jumps)
        for name, (_, lengths) in TRIALS.items()
        for minutes in lengths
        for jumps in ((False, True) if minutes >= 30 else (False,))
        if not names or set(_names(Row(name, minutes, jumps))) & set(names)
    ]
    if lines:
        for row in rows:
            for draw in chain(strangers(row, seeds), draws(row, seeds)):
                print(json.dumps(asdict(draw)), flush=True)
        return
    print(heading(f"Clocks, seeds {seeds[0]} to {seeds[-1]}"))
    print(HEAD)
    for row in rows:
        report(row, [*strangers(row, seeds), *draws(row, seeds)])


def _names(row: Row) -> tuple[str, str, str]:
    name, minutes, jumps = row
    return name, f"{name}-{minutes:g}", f"{name}-{minutes:g}-{'jump' if jumps else 'no'}"


HEAD = (
    "| shared | jump | min | placed | strangers | error, ms | 95 % below | drift error, ppm | 95 % below | "
    "stated ±, ms | covers, % | over 0.25 s | jump in its ± | ±, s | s |\n" + "|---" * 15 + "|"
)


if __name__ == "__main__":
    main(sys.argv[1:])
