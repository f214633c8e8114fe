"""The whole pipeline on a session with telling names: they are in no log, error or record of Prefect."""

from __future__ import annotations

import csv
import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import polars as pl
import pytest
import soundfile

from cueflow.flows.forgetting import scrub_prefect
from cueflow.storage.records.runs import provenance
from cueflow.tasks.simulate import Effects, simulate

pytestmark = pytest.mark.slow
SUBJECT, SESSION, PATIENT, LEAD = "Miller-Jane-1961", "visit-of-J", "Jane Miller", "Miller chest"
HEADER = "Ward 7, bed of J. M."


@pytest.fixture(scope="module")
def telling(tmp_path_factory):
    """A session with video, voice and ECG whose subject, files, folder, channel and headers tell who it is.

    And one that cannot be read.
    """
    root = tmp_path_factory.mktemp("practice-of-Dr-Miller") / "cohort"
    kinds = ("video", "audio", "ecg")
    simulate(root, sessions=1, minutes=0.1, seed=1, effects=replace(Effects.plain(), modalities=kinds))
    with (root / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told, folder = [], root / PATIENT
    folder.mkdir()
    for row in rows:
        old, new = root / row["path"], folder / f"{PATIENT}, {row['path'].rpartition('/')[2]}"
        {"video": _with_title, "audio": _with_artist, "ecg": _with_lead}[row["modality"]](old, new)
        named = {"session_id": SESSION, "subject_id": SUBJECT, "path": f"{PATIENT}/{new.name}"}
        told.append(row | named | ({"channel": LEAD} if row["modality"] == "ecg" else {}))
    ecg = next(row for row in told if row["modality"] == "ecg")
    bad = ecg | {"session_id": f"{SESSION}2", "channel": "Miller lost lead"}
    with (root / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(bad))
        table.writeheader()
        table.writerows([*told, bad])
    for extra in ("labels.csv", "events.csv", "subjects.csv", "exclusions.csv"):
        (root / extra).unlink(missing_ok=True)
    return root


def _with_title(old, new):
    with av.open(str(old)) as source, av.open(str(new), "w") as target:
        target.metadata["title"] = target.metadata["comment"] = HEADER
        [stream] = source.streams.video
        copy = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)


def _with_artist(old, new):
    sound, rate = soundfile.read(old)
    with soundfile.SoundFile(new, "w", samplerate=rate, channels=1) as file:
        file.title = file.artist = file.comment = HEADER
        file.write(sound)


def _with_lead(old, new):
    head, _, body = old.read_text().partition("\n")
    new.write_text(head.replace("ecg", LEAD) + "\n" + body)


@pytest.fixture(scope="module")
def ran(cueflow, telling):
    tables = telling.parent / "tables"
    return tables, cueflow("run", telling, "--out", tables)


def _told(path: Path, secrets: tuple[str, ...]) -> list[str]:
    raw = path.read_bytes()
    return [secret for secret in secrets if secret.encode() in raw]


def test_no_log_error_or_record_names_anybody(cueflow, environment, telling, ran):
    tables, done = ran
    assert done.returncode == 3, done.stderr  # the second session cannot be read
    secrets = (SUBJECT, PATIENT, LEAD, "lost lead", HEADER, str(telling.parent), "practice-of-Dr")
    said = done.stdout.replace(str(tables), "TABLES") + done.stderr  # what to type next repeats what was typed
    assert [secret for secret in secrets if secret in said] == []
    logs = [p for p in (tables / ".cueflow").rglob("*") if p.is_file() and "cache" not in p.parts]
    prefect = [p for p in Path(environment["PREFECT_HOME"]).rglob("*") if p.is_file()]
    assert any(p.name == "prefect.db" for p in prefect)
    assert {str(p): _told(p, secrets) for p in [*logs, *prefect] if _told(p, secrets)} == {}


def test_tables_caches_and_pages_hold_ids_and_nothing_else_that_tells(cueflow, telling, ran):
    """What the manifest calls a session, a subject and a channel is in the tables: no path, no file name, no header."""
    tables, _ = ran
    pages = tables.parent / "pages"
    done = cueflow("report", tables, "--out", pages)
    assert done.returncode == 0, done.stderr
    secrets = (PATIENT, HEADER, str(telling.parent), "practice-of-Dr")
    files = [p for folder in (tables, pages) for p in folder.rglob("*") if p.is_file()]
    kinds = {p.relative_to(tables.parent).parts[0]: p for p in files}
    assert set(kinds) == {"tables", "pages"}
    assert any(p.name.endswith(".json.z") for p in files)
    assert {str(p): _in_content(p, secrets) for p in files if _in_content(p, secrets)} == {}
    used = pl.scan_parquet(tables / "biomarkers" / "**" / "*.parquet").filter(pl.col("value").is_not_null())
    assert {"video", "audio", "ecg"} <= set(used.select("modality").collect()["modality"].unique())


def _in_content(path, secrets):
    raw = path.read_bytes()
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path, hive_partitioning=False)
        raw = "\n".join(str(v) for column in frame for v in column.drop_nulls().unique().to_list()).encode() + raw
    if path.name.endswith(".json.z"):
        raw = zlib.decompress(raw[64:])
    return [secret for secret in secrets if secret.encode() in raw or secret in path.name]


def test_questions_and_errors_leave_no_names_in_the_log(cueflow, ran):
    tables, _ = ran
    asked = cueflow("query", tables, f"SELECT value FROM biomarkers WHERE subject_id = '{SUBJECT}'")  # noqa: S608
    assert asked.returncode == 0
    assert cueflow("forget", tables, "--subject", "nobody", "--yes").returncode == 2
    assert _told(tables / ".cueflow" / "audit.jsonl", (SUBJECT, PATIENT)) == []
    assert "Miller" not in cueflow("audit", tables).stdout


def test_provenance_has_the_parameters_and_no_path(telling, ran):
    graph = str(provenance(ran[0]))
    assert "workers" in graph
    assert str(telling.parent) not in graph
    assert SUBJECT not in graph


def test_prefects_records_of_a_session_go_with_the_subject(cueflow, environment, ran):
    tables, _ = ran
    database = Path(environment["PREFECT_HOME"]) / "prefect.db"
    with closing(sqlite3.connect(database)) as opened:
        before = opened.execute("SELECT count(*) FROM flow_run").fetchone()[0]
    done = cueflow("forget", tables, "--subject", SUBJECT, "--yes", "--certificate", tables.parent / "proof.json")
    assert done.returncode == 0, done.stderr
    assert "no trace" in done.stdout
    assert _told(database, (SUBJECT, SESSION)) == []
    with closing(sqlite3.connect(database)) as opened:
        assert opened.execute("SELECT count(*) FROM flow_run").fetchone()[0] <= before
    assert _told(tables.parent / "proof.json", (SUBJECT, SESSION)) == []
    assert scrub_prefect([SUBJECT, SESSION], Path(environment["PREFECT_HOME"]))["prefect_records"] == 0
    assert cueflow("audit", tables).returncode == 0
