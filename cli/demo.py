"""`make demo`: the whole way on a simulated cohort, and how what was found compares with the known truth."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.cli.console import bars, console, fail, styled
from cueflow.schemas.errors import CueflowError, FusionError
from cueflow.tasks.report.text import page_name

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from cueflow.flows.summary import RunSummary

SESSIONS, MINUTES, SEED, FRAME_RATE, TARGET = 8, 0.5, 17, 25.0, "distress"

# What people read first, beside the truth it is compared with: title, biomarker, parameter of truth.parquet, unit.
_COMPARED = (
    ("blinks", "face_blink_rate", "blink_rate", "1/min"),
    ("nods", "head_nod_rate", "nod_rate", "1/min"),
    ("smiles", "face_smile_rate", "smile_rate", "1/min"),
    ("voice pitch", "voice_f0_mean", "f0_mean", "Hz"),
    ("speaking share", "speech_share", "speaking_share", ""),
    ("syllables", "speech_articulation_rate", "articulation_rate", "1/s"),
    ("heart rate", "hr_mean", "hr_mean", "1/min"),
    ("heart rate variability (RMSSD)", "hrv_rmssd", "rmssd", "ms"),
    ("breathing rate", "rsp_rate_mean", "breathing_rate", "1/min"),
)


def main(folder: Path) -> int:
    """Simulate, run, train, fuse, report, compare.

    Parameters
    ----------
    folder : Path
        Where everything goes; what an earlier demo left there is replaced.

    Returns
    -------
    int
        0 where exactly the sessions that were broken on purpose are not ok, else 3.
    """
    cohort, tables, model, pages = (folder / name for name in ("cohort", "tables", "model", "pages"))
    for path in (cohort, tables, model, pages):
        shutil.rmtree(path, ignore_errors=True)
    started = time.monotonic()
    _simulate(cohort)
    with _step("2/5", "processing: video, voice and physiology into tables"), bars() as watcher:
        from cueflow.flows.api import run

        first = run(cohort, tables, watcher=watcher)
    fused = _train(cohort, tables, model)
    with (
        _step("4/5", "applying it: nothing is computed twice, only predictions and explanations are added"),
        bars() as w,
    ):
        summary = run(cohort, tables, fusion_model=model, watcher=w) if fused else first
    with _step("5/5", "writing the pages"):
        from cueflow.flows.showing.pages import write_pages

        write_pages(tables, pages)
    _tell(folder, first, summary, seconds=time.monotonic() - started)
    not_ok = {session.session_id for session in first.sessions if session.status != "ok"}
    return 0 if not_ok == _broken(cohort) else 3


def _simulate(cohort: Path) -> None:
    from rich.progress import Progress

    from cueflow.flows.api import default_workers
    from cueflow.tasks.simulate.cohort import simulate
    from cueflow.tasks.simulate.effects import Effects

    with (
        _step("1/5", f"simulating {SESSIONS} sessions of {MINUTES * 60:.0f} s with known truth, and two broken ones"),
        Progress(console=console(err=True)) as progress,
    ):
        bar = progress.add_task("simulating", total=None)
        simulate(
            cohort,
            sessions=SESSIONS,
            minutes=MINUTES,
            seed=SEED,
            effects=Effects(fps_choices=(FRAME_RATE,)),
            progress=lambda done, total, _: progress.update(bar, completed=done, total=total),
            workers=default_workers(),
        )


def _train(cohort: Path, tables: Path, model: Path) -> bool:
    from cueflow.flows.train import biomarker_frame
    from cueflow.tasks.fusion import read_labels, save_model, train

    with _step("3/5", f"training a fusion model for {TARGET!r}: four people, to show the way and not to be believed"):
        try:
            fitted = train(biomarker_frame(tables), read_labels(cohort / "labels.csv"), target=TARGET, min_subjects=4)
        except FusionError as error:
            console().print(f"No model: {error.message}")
            return False
        save_model(fitted, model)
    return True


@contextmanager
def _step(number: str, what: str) -> Iterator[None]:
    console().print(f"\n[bold]{number}[/bold]  {what}")
    yield


def _tell(folder: Path, first: RunSummary, summary: RunSummary, *, seconds: float) -> None:
    from rich.markup import escape

    screen = console()
    screen.print(f"\n[bold]Done in {seconds:.0f} s.[/bold]  {first.line}.")
    broken = _broken(folder / "cohort")
    for session in first.sessions:
        if session.status != "ok":
            why = ", broken on purpose" if session.session_id in broken else ""
            screen.print(f"  {styled(session.status)}  {session.session_id}{why}: {escape(session.message)}")
    screen.print("\nFound against the known truth, over sessions of half a minute:\n")
    screen.print(_comparison(folder))
    screen.print("\nA value without enough evidence is not written; `cueflow status` and the page say why.")
    page = page_name(next(s.session_id for s in summary.sessions if s.status == "ok"))
    screen.print(f"\nTables   {folder / 'tables'}\nPage     {folder / 'pages' / page}   (cohort: index.html)")
    sql = "SELECT session_id, value, n_evidence, coverage FROM biomarkers WHERE biomarker = 'hr_mean'"
    screen.print(f"\nTry next:\n  .venv/bin/cueflow status {folder / 'tables'}")
    screen.print(f'  .venv/bin/cueflow query {folder / "tables"} "{sql}"', soft_wrap=True, markup=False)


def _comparison(folder: Path) -> Table:
    import polars as pl
    from rich.table import Table

    from cueflow.storage.reading.queries import open_tables

    found = open_tables(folder / "tables").biomarkers.filter(
        (pl.col("phase") == "session") & (pl.col("role") == "patient")
    )
    truth = pl.read_parquet(folder / "cohort" / "truth.parquet").filter(pl.col("kind") == "parameter")
    grid = Table(
        "measure", "found (mean)", "truth", "mean difference", "sessions", "with too little evidence", box=None
    )
    for title, biomarker, name, unit in _COMPARED:
        grid.add_row(title, *_difference(found.filter(biomarker=biomarker).collect(), truth.filter(name=name), unit))
    return grid


def _difference(found: pl.DataFrame, truth: pl.DataFrame, unit: str) -> tuple[str, ...]:
    both = found.join(truth.select("session_id", truth="value"), on="session_id")
    valued = both.drop_nulls("value")
    thin = len(both.filter(status="too_short"))
    if valued.is_empty():
        return "–", "–", "–", "0", str(thin)
    value, true = valued["value"].to_numpy(), valued["truth"].to_numpy()
    means = (value.mean(), true.mean(), abs(value - true).mean())
    return *(f"{mean:.2f} {unit}" for mean in means), str(len(valued)), str(thin)


def _broken(cohort: Path) -> set[str]:
    import polars as pl

    return set(pl.read_parquet(cohort / "truth.parquet").filter(kind="broken_file")["session_id"])


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo")))
    except CueflowError as trouble:
        fail(trouble)
