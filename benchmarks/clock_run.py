"""Clocks in whole runs: sessions whose recorders have no start, through `cueflow run`, against their true clocks.

python benchmarks/clock_run.py [MINUTES [NAME …]]    # 30; sound lasts at most 6, a simulated session 4
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from clock_draws import HAND_HZ, RATE, Worn, hand, heart, talk
from measure import CUEFLOW, heading

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.heart import ecg_wave, pulse_wave
from cueflow.tasks.simulate.plan import Clock
from cueflow.tasks.simulate.sound import write_wav

FRAMES_HZ = 15.0
SIMULATED = "movement, simulated session"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """A line of the manifest; `start_s` empty where the run has to find out."""

    modality: str
    path: str
    channel: str = ""
    start_s: str = ""
    unit: str = ""
    role: str = "patient"


@dataclass(frozen=True)
class Case:
    """A session: its rows, and the clock of the recorder whose first row has the role and modality of `asked`."""

    rows: tuple[Row, ...]
    asked: Row
    clock: Worn | None
    length_s: float


def table(path: Path, times: Sequence[object], columns: dict[str, FloatArray]) -> None:
    """Write a CSV with time stamps."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["time", *columns] if isinstance(times[0], str) else ["time_s", *columns])
        rows = zip(times, *(np.round(v, 4).tolist() for v in columns.values()), strict=True)
        out.writerows(rows)


def local(clock: Worn, length_s: float, rate: float) -> FloatArray:
    """Times on a recorder's clock, and nothing that happened before the session or after it."""
    times = np.arange(0.0, length_s, 1.0 / rate)
    true = clock.true(times)
    return np.asarray(times[(true >= 0) & (true < length_s)])


def hearts(folder: Path, name: str, length_s: float, clock: Worn, *, pulse: bool) -> Case:
    """A chest strap whose start is said, and a second electrocardiogram or a wristband."""
    rng = np.random.default_rng(len(name))
    beats = heart(rng, length_s)
    ours = np.arange(0.0, length_s, 0.004)
    table(folder / f"{name}-a.csv", ours.round(3).tolist(), {"ecg": ecg_wave(ours, beats)})
    theirs = local(clock, length_s, 64.0 if pulse else 250.0)
    true = clock.true(theirs)
    wave = pulse_wave(true, beats + 0.1) if pulse else ecg_wave(true, beats)
    kind = "ppg" if pulse else "ecg"
    table(folder / f"{name}-b.csv", theirs.round(6).tolist(), {kind: wave})
    asked = Row(kind, f"{name}-b.csv", kind, role="patient") if pulse else Row("ecg", f"{name}-b.csv", "ecg")
    first = Row("ecg", f"{name}-a.csv", "ecg", "0")
    if not pulse:  # two electrocardiograms of one person have two channels
        table(folder / f"{name}-a.csv", ours.round(3).tolist(), {"lead1": ecg_wave(ours, beats)})
        first = Row("ecg", f"{name}-a.csv", "lead1", "0")
    return Case((first, asked), asked, clock, length_s)


def skin(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """Skin conductance that shares nothing with anything."""
    return np.asarray(5.0 + 0.3 * np.sin(times / rng.uniform(20, 40)) + 0.002 * rng.normal(size=len(times)))


def marked(folder: Path, name: str, length_s: float, clock: Worn) -> Case:
    """Two recorders with a trigger line that one button sets every three minutes or so, to 20 ms."""
    rng = np.random.default_rng(8)
    presses = np.sort(rng.uniform(10.0, length_s - 20.0, max(int(length_s / 180.0), 6)))

    def trigger(true: FloatArray, at: FloatArray) -> FloatArray:
        return np.asarray(np.abs(true[:, None] - at[None, :] - 0.1).min(axis=1) < 0.1, dtype=np.float64)

    ours = np.arange(0.0, length_s, 1.0 / 32.0)
    table(folder / f"{name}-a.csv", ours.tolist(), {"eda": skin(rng, ours), "trigger": trigger(ours, presses)})
    theirs = local(clock, length_s, 32.0)
    true = clock.true(theirs)
    pressed = presses + rng.normal(0.0, 0.02, len(presses))
    columns = {"temperature": 33 + skin(rng, true) / 10, "trigger": trigger(true, pressed)}
    table(folder / f"{name}-b.csv", theirs.tolist(), columns)
    asked = Row("temperature", f"{name}-b.csv", "temperature")
    return Case((Row("eda", f"{name}-a.csv", "eda", "0", "uS"), asked), asked, clock, length_s)


def stamped(folder: Path, name: str, length_s: float, clock: Worn) -> Case:
    """Two tables with dates, whose clocks were set a second and a half apart."""
    rng = np.random.default_rng(9)
    ours = np.arange(0.0, length_s, 0.25)
    said = [(NOON + timedelta(seconds=t)).isoformat() for t in ours.tolist()]
    table(folder / f"{name}-a.csv", said, {"eda": skin(rng, ours)})
    later = [(NOON + timedelta(seconds=20.0 - 1.5 + t)).isoformat() for t in ours.tolist()]
    table(folder / f"{name}-b.csv", later, {"temperature": 33 + skin(rng, ours) / 10})
    asked = Row("temperature", f"{name}-b.csv", "temperature")
    truth = Worn(Clock(20.0, 0.0))
    return Case((Row("eda", f"{name}-a.csv", "eda", "0", "uS"), asked), asked, truth, length_s)


def alone(folder: Path, name: str, length_s: float, _: Worn) -> Case:
    """Two recorders that share nothing."""
    rng = np.random.default_rng(10)
    times = np.arange(0.0, length_s, 0.25)
    table(folder / f"{name}-a.csv", times.tolist(), {"eda": skin(rng, times)})
    table(folder / f"{name}-b.csv", times.tolist(), {"temperature": 33 + skin(rng, times) / 10})
    asked = Row("temperature", f"{name}-b.csv", "temperature")
    return Case((Row("eda", f"{name}-a.csv", "eda", "0", "uS"), asked), asked, None, length_s)


def grouped(folder: Path, name: str, length_s: float, clock: Worn) -> Case:
    """Two electrocardiograms without a start, beside skin conductance that has one and shares nothing with them."""
    found = hearts(folder, name, length_s, clock, pulse=False)
    times = np.arange(0.0, length_s, 0.25)
    table(folder / f"{name}-c.csv", times.tolist(), {"eda": skin(np.random.default_rng(13), times)})
    first, second = (replace(row, start_s="") for row in found.rows)
    return replace(found, rows=(Row("eda", f"{name}-c.csv", "eda", "0", "uS"), first, second), asked=second)


def early(folder: Path, name: str, length_s: float, _: Worn) -> Case:
    """A recorder whose declared start lies an hour before the two others."""
    found = alone(folder, name, length_s, Worn())
    breath = np.arange(0.0, length_s, 0.1)
    table(folder / f"{name}-c.csv", breath.tolist(), {"respiration": np.sin(2 * np.pi * breath / 4.0)})
    hour = Row("temperature", f"{name}-b.csv", "temperature", "-7200")
    third = Row("respiration", f"{name}-c.csv", "respiration", "5")
    return Case((found.rows[0], third, hour), hour, None, length_s)


def sounds(folder: Path, name: str, length_s: float, clock: Worn) -> Case:
    """Patient's and clinician's microphones."""
    length_s = min(length_s, 360.0)
    rng = np.random.default_rng(11)
    source = talk(rng, length_s)
    times = local(clock, length_s - 1.0, RATE)
    other = np.interp(clock.true(times), np.arange(len(source)) / RATE, source)
    for path, wave in ((f"{name}-a.wav", source), (f"{name}-b.wav", other)):
        noisy = wave + 0.1 * np.std(wave) * rng.normal(size=len(wave))
        write_wav(folder / path, (0.2 * noisy / np.abs(noisy).max()).astype(np.float32), RATE)
    asked = Row("audio", f"{name}-b.wav", role="clinician")
    return Case((Row("audio", f"{name}-a.wav", "", "0"), asked), asked, clock, length_s)


def moved(folder: Path, name: str, length_s: float, clock: Worn) -> Case:
    """A film of a hand that moves about before a wall, and the wristband on it."""
    import av

    rng = np.random.default_rng(12)
    path = hand(rng, length_s, 6.0)
    known, frames = np.arange(len(path)) / HAND_HZ, np.arange(0.0, length_s, 1.0 / FRAMES_HZ)
    wall = rng.integers(60, 120, (90, 160)).astype(np.float64)
    rows, columns = np.mgrid[0:90, 0:160]
    with av.open(str(folder / f"{name}.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=round(FRAMES_HZ))
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        at = np.stack([np.interp(frames, known, path[:, k]) for k in (0, 1)], axis=1)
        for across, down in zip(80 + 60 * np.sin(2 * at[:, 0]), 45 + 30 * np.sin(2 * at[:, 1]), strict=True):
            near = np.clip(8.0 - np.hypot(columns - across, rows - down), 0.0, 1.0)
            picture = wall * (1 - near) + 200 * near + rng.normal(0.0, 3.0, wall.shape)
            frame = av.VideoFrame.from_ndarray(np.clip(picture, 0, 255).astype(np.uint8), format="gray")
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    theirs = local(clock, length_s, 32.0)
    pulled = np.gradient(np.gradient(path, 1.0 / HAND_HZ, axis=0), 1.0 / HAND_HZ, axis=0) / 9.81
    pulled[:, 2] += 1.0
    axes = {
        axis: np.interp(clock.true(theirs), known, pulled[:, k]) + rng.normal(0.0, 0.01, len(theirs))
        for k, axis in enumerate("xyz")
    }
    table(folder / f"{name}-b.csv", theirs.round(6).tolist(), axes)
    asked, *others = (Row("accelerometer", f"{name}-b.csv", axis, unit="g") for axis in axes)
    return Case((Row("video", f"{name}.mp4", "", "0"), asked, *others), asked, clock, length_s)


CASES: dict[str, Callable[[Path, str, float, Worn], Case]] = {
    "beats": lambda f, n, s, c: hearts(f, n, s, c, pulse=False),
    "beats with a jump": lambda f, n, s, c: hearts(f, n, s, Worn(c.clock, 0.45 * s, 2.6), pulse=False),
    "beats and pulse": lambda f, n, s, c: hearts(f, n, s, c, pulse=True),
    "marks": marked,
    "marks with a jump": lambda f, n, s, c: marked(f, n, s, Worn(c.clock, 0.45 * s, 2.6)),
    "time stamps": stamped,
    "sound": sounds,
    "movement": moved,
    "beats, but nothing with the session": grouped,
    "nothing shared": alone,
    "an hour early": early,
}


def simulated(folder: Path) -> Case:
    """A simulated session with video, whose starts are hidden: movement seen and felt."""
    made = folder / "made"
    subprocess.run([*CUEFLOW, "simulate", str(made), "--sessions", "1", "--minutes", "4", "--seed", "3"], check=True,
                   capture_output=True)  # fmt: skip
    import polars as pl

    truth = pl.read_parquet(made / "truth.parquet").filter(pl.col("kind").is_in(["clock_offset", "clock_drift"]))
    said = {(r["kind"], r["name"]): float(r["value"]) for r in truth.to_dicts()}
    with (made / "manifest.csv").open(newline="") as file:
        lines = [r for r in csv.DictReader(file) if r["modality"] in {"video", "accelerometer", "eda"}]
    rows = tuple(Row(r["modality"], f"made/{r['path']}", r["channel"], "0" if r["modality"] == "video" else "",
                     r["unit"], r["role"]) for r in lines)  # fmt: skip
    seen = Clock(said["clock_offset", "video"], said["clock_drift", "video"])
    felt = Clock(said["clock_offset", "accelerometer"], said["clock_drift", "accelerometer"])
    on_video = Clock(felt.offset_s - seen.offset_s, felt.drift_ppm - seen.drift_ppm)
    asked = next(r for r in rows if r.modality == "accelerometer")
    return Case(rows, asked, Worn(on_video), 230.0)


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    minutes = float(arguments[0]) if arguments else 30.0
    wanted = arguments[1:] or [*CASES, SIMULATED]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "d"
        folder.mkdir()
        cases: dict[str, Case] = {}
        for k, (name, make) in enumerate(CASES.items()):
            if name in wanted:
                clock = Worn(Clock(3.2 + 0.37 * k, (-1) ** k * (60.0 + 5 * k)))
                cases[name] = make(folder, f"s{k}", 60.0 * minutes, clock)
        if SIMULATED in wanted:
            cases[SIMULATED] = simulated(folder)
        with (folder / "manifest.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["session_id", "subject_id", "modality", "path", "channel", "start_s", "unit", "role"])
            for k, case in enumerate(cases.values()):
                out.writerows((f"S{k}", f"P{k}", r.modality, r.path, r.channel, r.start_s, r.unit, r.role)
                              for r in case.rows)  # fmt: skip
        tables = Path(scratch) / "t"
        done = subprocess.run([*CUEFLOW, "run", str(folder), "--out", str(tables)], capture_output=True, text=True)
        if done.returncode not in {0, 3}:
            raise SystemExit(done.stdout + done.stderr)
        report(cases, tables)


def report(cases: dict[str, Case], tables: Path) -> None:
    """Print one line for each session."""
    import cueflow

    sessions = cueflow.open_tables(tables)["sessions"].collect().sort("session_id").to_dicts()
    print(heading("Clocks in whole runs"))
    print("| shared | min | method | error, ms | stated ±, ms | drift error, ppm | jumps | session |")
    print("|---|---|---|---|---|---|---|---|")
    for (name, case), row in zip(cases.items(), sessions, strict=True):
        sync = row["sync"] if isinstance(row["sync"], list) else json.loads(row["sync"])
        key = (case.asked.modality, case.asked.role, case.asked.channel)
        found = next(s for s in sync if (s["modality"], s["role"], s["channel"]) == key)
        placed = (found["source"] == "estimated" or found["group"]) and case.clock is not None
        error = drift = "–"
        if placed and case.clock is not None:
            at = np.linspace(0.0, case.length_s - 12.0, 200)
            place = found["offset_s"] + at * (1 + 1e-6 * (found["drift_ppm"] or 0.0))
            for jump_s, by_s, within_s in found["jumps"]:
                at, place = (part[np.abs(place - jump_s) > within_s] for part in (at, place))
                place += np.where(place >= jump_s, by_s, 0.0)
            error = f"{1e3 * np.abs(place - case.clock.true(at)).max():.1f}"
            drift = f"{abs((found['drift_ppm'] or 0.0) - case.clock.clock.drift_ppm):.1f}"
        where = f", group {found['group']} ({found['reason']})" if found["group"] else ""
        said = found["method"] + where if placed else f"{found['source']} ({found['reason']})"
        stated = "–" if found["uncertainty_s"] is None else f"{1e3 * found['uncertainty_s']:.1f}"
        jumps = ", ".join(f"{by_s:+.2f} s at {at_s:.0f} ± {to_s:.0f} s" for at_s, by_s, to_s in found["jumps"]) or "–"
        state = row["status"] + (f" ({row['reason']})" if row["reason"] else "")
        print(f"| {name} | {case.length_s / 60:.0f} | {said} | {error} | {stated} | {drift} | {jumps} | {state} |")


if __name__ == "__main__":
    main(sys.argv[1:])
