"""A cohort with known truth: recordings, manifest, tables beside it, and `truth.parquet`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cueflow.schemas.errors import ConfigError
from cueflow.tasks.simulate.devices import CHANNELS, cut, record, write_csv, write_edf
from cueflow.tasks.simulate.effects import Effects, Kind
from cueflow.tasks.simulate.people import Subject, draw_subject
from cueflow.tasks.simulate.plan import DEVICE_OF, Plan, draw_plan
from cueflow.tasks.simulate.sound import ROOM_RATE, patient_track, room_track, write_wav
from cueflow.tasks.simulate.timeline import Episode
from cueflow.tasks.simulate.truth import devices_of, truth_rows
from cueflow.tasks.simulate.video import write_video

VISITS = 2
MANIFEST = (
    "session_id",
    "subject_id",
    "visit",
    "modality",
    "role",
    "path",
    "start_s",
    "sampling_rate",
    "channel",
    "unit",
)
ACTION_LABELS = {"nod": "nod", "shake": "shake", "lean": "lean", "zoom": "zoom", "hand_motion": "hand {}"}
Progress = Callable[[int, int, str], None]
Row = tuple[str | int | float, ...]


@dataclass(frozen=True, slots=True)
class SimulatedCohort:
    """What was written.

    `root` holds the dataset; `truth` is its truth table with columns session_id, kind, name, onset_s, duration_s,
    value, unit, times on the session clock; `broken_ids` are those of `session_ids` with a file broken on purpose.
    """

    root: Path
    truth: Path
    session_ids: tuple[str, ...]
    subject_ids: tuple[str, ...]
    broken_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """One session for one process."""

    out: Path
    plan: Plan
    effects: Effects


@dataclass(frozen=True, slots=True)
class _Written:
    manifest: list[Row]
    truth: list[Episode]


def simulate(
    out: Path,
    *,
    sessions: int = 8,
    minutes: float = 1.0,
    seed: int = 0,
    effects: Effects | None = None,
    progress: Progress | None = None,
    workers: int = 1,
) -> SimulatedCohort:
    """Write a cohort with known truth; nothing is downloaded.

    Parameters
    ----------
    out : Path
        Folder of the dataset; must be empty or not there.
    sessions : int, optional
        Good sessions; every subject comes twice. Broken ones come on top (`Effects.broken`).
    minutes : float, optional
        Length of a session.
    seed : int, optional
        Same seed, same tables, byte for byte.
    effects : Effects, optional
        Sizes of the effects.
    progress : callable, optional
        Called with sessions done, sessions in all, and the session's id.
    workers : int, optional
        Processes.

    Returns
    -------
    SimulatedCohort
        Where everything is.

    Notes
    -----
    A folder that is not empty, or a number that makes no sense, is refused with a ConfigError.
    """
    effects = effects or Effects()
    _check(out, sessions, minutes, effects)
    out.mkdir(parents=True, exist_ok=True)
    plans = draw_cohort(sessions, minutes, seed, effects)
    written: list[_Written] = []
    for done, result in enumerate(_results([_Job(out, plan, effects) for plan in plans], workers), start=1):
        written.append(result)
        if progress is not None:
            progress(done, len(plans), plans[done - 1].session_id)
    _tables(out, plans, written)
    return SimulatedCohort(
        root=out,
        truth=out / "truth.parquet",
        session_ids=tuple(plan.session_id for plan in plans),
        subject_ids=tuple(dict.fromkeys(plan.subject.subject_id for plan in plans)),
        broken_ids=tuple(plan.session_id for plan in plans if plan.broken),
    )


def _check(out: Path, sessions: int, minutes: float, effects: Effects) -> None:
    if sessions < 1 or minutes * 60.0 < 4.0:
        raise ConfigError("a cohort needs at least one session of 4 s; raise --sessions or --minutes")
    if effects.width % 2 or effects.height % 2 or min(effects.width, effects.height) < 96:
        raise ConfigError("video width and height must be even and at least 96 pixels")
    if not effects.modalities:
        raise ConfigError("a cohort needs at least one modality")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out.name}: is not an empty folder; name another one or empty it")


def draw_cohort(sessions: int, minutes: float, seed: int, effects: Effects) -> list[Plan]:
    """Draw every session of a cohort without writing anything.

    Parameters
    ----------
    sessions : int
        Good sessions.
    minutes : float
        Length of a session.
    seed : int
        Decides everything.
    effects : Effects
        Sizes of the effects.

    Returns
    -------
    list of Plan
        Good sessions first, then broken ones.
    """
    broken = ["truncated"] * (effects.broken and sessions >= 4) + ["text"] * (effects.broken and sessions >= 8)
    plans = []
    for number, fault in enumerate([""] * sessions + broken):
        who = number // VISITS
        subject = draw_subject(np.random.default_rng([seed, who]), who)
        plans.append(
            draw_plan(
                seed, number, subject, effects, visit=number % VISITS + 1, duration_s=60.0 * minutes, broken=fault
            )
        )
    return plans


def _results(jobs: Sequence[_Job], workers: int) -> Iterator[_Written]:
    """Results in the order of the jobs."""
    if workers <= 1 or len(jobs) == 1:
        yield from map(_write_session, jobs)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    context = multiprocessing.get_context("spawn")  # a forked child of a process with threads may hang
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        yield from pool.map(_write_session, jobs)


def _write_session(job: _Job) -> _Written:
    """Write the recordings of one session."""
    import cv2

    cv2.setNumThreads(1)  # two threads gain nothing at this size and fight with other workers
    plan, folder = job.plan, job.out / job.plan.session_id
    folder.mkdir()
    if plan.broken == "text":
        (folder / "video.mp4").write_text("This is a text file that someone renamed.\n", encoding="utf-8")
        return _Written([_row(plan, "video", f"{plan.session_id}/video.mp4", unit="")], truth_rows(plan))
    manifest = [*_write_camera_and_sound(job, folder), *_write_devices(plan, folder)]
    return _Written(manifest, truth_rows(plan))


def _row(
    plan: Plan,
    modality: Kind,
    path: str,
    *,
    role: str = "patient",
    rate: float | str = "",
    channel: str = "",
    unit: str,
) -> Row:
    device = "room" if role == "room" else devices_of(plan).get(modality, DEVICE_OF[modality])
    hidden = plan.hidden_start and device == "wrist"
    start = "" if hidden else f"{plan.clocks[device].offset_s:.3f}"
    return (
        plan.session_id, plan.subject.subject_id, plan.visit, modality, role, path, start, rate, channel, unit,
    )  # fmt: skip


def _write_camera_and_sound(job: _Job, folder: Path) -> list[Row]:
    plan, effects, rows = job.plan, job.effects, []
    devices = devices_of(plan)
    sound = None
    if "audio" in devices:
        sound = patient_track(plan, effects, plan.clocks[devices["audio"]])
    inside = devices.get("audio") == "camera"
    if "video" in devices:
        path = folder / "video.mp4"
        write_video(path, plan, effects, (sound, plan.audio_rate) if inside and sound is not None else None)
        if plan.broken == "truncated":
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
        rows.append(_row(plan, "video", f"{plan.session_id}/video.mp4", unit=""))
    if sound is not None:
        name = "video.mp4" if inside else "patient.wav"
        if not inside:
            write_wav(folder / name, sound, plan.audio_rate)
        rows.append(_row(plan, "audio", f"{plan.session_id}/{name}", rate=plan.audio_rate, unit=""))
    if "room" in devices:
        write_wav(folder / "room.wav", *room_track(plan, effects))
        rows.append(_row(plan, "audio", f"{plan.session_id}/room.wav", role="room", rate=ROOM_RATE, unit=""))
    return rows


def _write_devices(plan: Plan, folder: Path) -> list[Row]:
    rows = []
    for device in ("chest", "wrist"):
        whole = record(plan, device)
        if whole is None:
            continue
        if device == "chest" and plan.edf:
            name = "chest.edf"
            write_edf(folder / name, whole)
        else:
            name = f"{device}.csv"
            write_csv(folder / name, cut(plan, device, whole))
        for kind, channels in CHANNELS.items():
            if DEVICE_OF[kind] == device and kind in plan.modalities:
                rows += [
                    _row(plan, kind, f"{plan.session_id}/{name}", rate=whole.rate, channel=channel, unit=unit)
                    for channel, unit in channels
                ]
    return rows


def _table(path: Path, header: Iterable[str], rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _tables(out: Path, plans: Sequence[Plan], written: Sequence[_Written]) -> None:
    """Everything beside the recordings."""
    good = [plan for plan in plans if plan.broken != "text"]
    subjects: dict[str, Subject] = {plan.subject.subject_id: plan.subject for plan in plans}
    _table(out / "manifest.csv", MANIFEST, (row for result in written for row in result.manifest))
    phases: list[Row] = []
    for p in good:
        phases.append((p.session_id, "0.000", f"{p.rest_s:.3f}", "rest", "phase"))
        phases.append((p.session_id, f"{p.rest_s:.3f}", f"{p.duration_s - p.rest_s:.3f}", "interview", "phase"))
    actions: list[Row] = [(*row, "action") for row in action_rows(good)]
    _table(out / "events.csv", ("session_id", "onset_s", "duration_s", "label", "kind"), [*phases, *actions])
    labels: list[Row] = [(p.session_id, "distress", p.latents.label) for p in good]
    _table(out / "labels.csv", ("session_id", "target", "value"), labels)
    people: list[Row] = [(s.subject_id, s.age, s.sex) for s in subjects.values()]
    _table(out / "subjects.csv", ("subject_id", "age", "sex"), people)
    spans: list[Row] = [
        (p.session_id, f"{0.5 * p.duration_s:.3f}", "2.000", "interruption") for p in good if p.number % 4 == 3
    ]
    if spans:
        _table(out / "exclusions.csv", ("session_id", "onset_s", "duration_s", "reason"), spans)
    _truth(out / "truth.parquet", plans, written)


def action_rows(plans: Sequence[Plan]) -> list[Row]:
    """What an annotator would write down of the videos, for `cueflow actions train`.

    Parameters
    ----------
    plans : sequence of Plan
        The sessions.

    Returns
    -------
    list of tuple
        Session, onset and duration in s, label: nod, shake, lean, zoom, "hand sideways" or "hand up_down".
    """
    return [
        (p.session_id, f"{e.onset_s:.3f}", f"{e.duration_s:.3f}", label)
        for p in plans
        if "video" in p.modalities
        for e in p.behaviour
        if (label := ACTION_LABELS.get(e.kind, "").format(*e.name.split()[1:]))
    ]


def _truth(path: Path, plans: Sequence[Plan], written: Sequence[_Written]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [(plan.session_id, row) for plan, result in zip(plans, written, strict=True) for row in result.truth]
    meta = {"description": "What is true about the cohort; onset_s on the session clock."}
    schema = pa.schema(
        [
            pa.field("session_id", pa.string()),
            pa.field("kind", pa.string()),
            pa.field("name", pa.string()),
            pa.field("onset_s", pa.float64(), metadata={"unit": "s", "clock": "session"}),
            pa.field("duration_s", pa.float64(), metadata={"unit": "s"}),
            pa.field("value", pa.float64()),
            pa.field("unit", pa.string()),
        ],
        metadata=meta,
    )
    columns = [[session for session, _ in rows]] + [
        [getattr(row, name) for _, row in rows] for name in ("kind", "name", "onset_s", "duration_s", "value", "unit")
    ]
    pq.write_table(pa.table(columns, schema=schema), path, compression="zstd")
