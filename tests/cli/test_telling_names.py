"""The whole pipeline on a session with telling names: they are in no log, error or record of Prefect."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from cueflow.flows.forgetting import scrub_prefect
from cueflow.storage.records.runs import provenance
from cueflow.tasks.simulate import Effects, simulate

pytestmark = pytest.mark.slow
SUBJECT, SESSION, PATIENT, LEAD = "Miller-Jane-1961", "visit-of-J", "Jane Miller", "Miller chest"


@pytest.fixture(scope="module")
def telling(tmp_path_factory):
    """A session whose subject, file, folder and channel are named after the patient, and one that cannot be read."""
    root = tmp_path_factory.mktemp("practice-of-Dr-Miller") / "cohort"
    simulate(root, sessions=1, minutes=0.5, seed=1, effects=replace(Effects.plain(), modalities=("ecg",)))
    with (root / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    row = next(r for r in rows if r["modality"] == "ecg")
    head, _, body = (root / row["path"]).read_text().partition("\n")
    (root / f"{PATIENT}.csv").write_text(head.replace(row["channel"], LEAD) + "\n" + body)
    good = row | {"session_id": SESSION, "subject_id": SUBJECT, "path": f"{PATIENT}.csv", "channel": LEAD}
    bad = good | {"session_id": f"{SESSION}2", "channel": f"{PATIENT} lost lead"}
    with (root / "manifest.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(row))
        table.writeheader()
        table.writerows([good, bad])
    for extra in ("labels.csv", "events.csv", "subjects.csv", "exclusions.csv"):
        (root / extra).unlink(missing_ok=True)
    return root


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
    secrets = (SUBJECT, PATIENT, LEAD, "lost lead", str(telling.parent), "practice-of-Dr")
    said = done.stdout.replace(str(tables), "TABLES") + done.stderr  # what to type next repeats what was typed
    assert [secret for secret in secrets if secret in said] == []
    logs = [p for p in (tables / ".cueflow").rglob("*") if p.is_file() and "cache" not in p.parts]
    prefect = [p for p in Path(environment["PREFECT_HOME"]).rglob("*") if p.is_file()]
    assert any(p.name == "prefect.db" for p in prefect)
    assert {str(p): _told(p, secrets) for p in [*logs, *prefect] if _told(p, secrets)} == {}


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
