"""Tables for others: de-identified and checked, as BIDS, and where they came from."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest

from cueflow.schemas.errors import TablesError
from cueflow.storage.reading.queries import open_tables
from cueflow.storage.records.runs import provenance, recorded_run
from cueflow.storage.sharing import deidentify as module
from cueflow.storage.sharing.bids import to_bids
from cueflow.storage.sharing.deidentify import Choice, deidentify
from cueflow.storage.sharing.inspect import second_pass
from cueflow.storage.tables import TableStore


@pytest.fixture(scope="module")
def root(tmp_path_factory, rows_with) -> Path:
    """Six subjects in two visits; one of them has a phase that nobody else has."""
    root = tmp_path_factory.mktemp("share") / "tables"
    store = TableStore(root, "clinic-west")
    ids = [f"visit{v}-kim{k}" for k in range(6) for v in (1, 2)]
    with store.writing(root_fingerprint="f", session_ids=ids):
        for session in ids:
            person = session.split("-")[1]
            store.commit_session(session, rows_with(session, "run-a", subject=f"P-{person}"), run_id="run-a")
    return root


@pytest.fixture(scope="module")
def rows_with(rows_builder):
    """Rows with a channel, a message and a rare phase, as real ones have them."""

    def made(session, run, *, subject):
        tables = rows_builder(session, run, subject=subject)
        frames = {name: pl.DataFrame(table) for name, table in tables.items()}
        phases = ["session", "rest", "session", "rest", "session", "rest" if subject != "P-kim3" else "crying"]
        frames["biomarkers"] = frames["biomarkers"].with_columns(
            channel=pl.lit("Miller Chest"), input_sha256=pl.lit("ab" * 32), phase=pl.Series(phases)
        )
        frames["sessions"] = frames["sessions"].with_columns(
            message=pl.lit("Mrs Miller moved"), input_sha256=pl.lit(json.dumps({"ecg/patient/Miller Chest": "ab" * 32}))
        )
        frames["events"] = frames["events"].with_columns(
            label=pl.lit("beat"), evidence=pl.lit('{"x": 1}'), channel=pl.lit("Miller Chest")
        )
        return {name: frame.to_arrow().cast(tables[name].schema) for name, frame in frames.items()}

    return made


@pytest.fixture
def exported(root, tmp_path):
    done = deidentify(root, tmp_path / "out", key_file=tmp_path / "key.csv", choice=Choice(events=True))
    return tmp_path / "out", done


def test_an_export_opens_like_any_tables_and_keeps_the_values(root, exported):
    out, done = exported
    assert (done.sessions, done.subjects) == (12, 6)
    before, after = open_tables(root), open_tables(out)
    assert sorted(after.biomarkers.collect()["value"]) == sorted(
        before.biomarkers.filter(pl.col("phase") != "crying").collect()["value"]
    )
    assert set(after.biomarkers.collect()["channel"]) == set(after.events.collect()["channel"]) == {"1"}
    assert after.events.collect().height == before.events.collect().height
    assert after.windows.collect().is_empty()
    assert set(after.sessions.collect()["visit"]) == {"1"}


def test_the_key_leads_back_and_dates_are_shifted_by_subject(root, exported):
    out, _ = exported
    key = list(csv.DictReader((out.parent / "key.csv").read_text().splitlines()))
    shifts = {row["pseudonym"]: float(row["shift_s"]) for row in key if row["kind"] == "subject"}
    assert (out.parent / "key.csv").stat().st_mode & 0o077 == 0
    then = open_tables(root).sessions.collect()["finished_utc"][0]
    for row in open_tables(out).sessions.collect().to_dicts():
        assert (row["finished_utc"] - then).total_seconds() == pytest.approx(shifts[row["subject_id"]])
        assert abs(shifts[row["subject_id"]]) >= 30 * 86_400
    assert {row["original"] for row in key if row["kind"] == "subject"} == {f"P-kim{k}" for k in range(6)}


def test_rare_phases_are_left_out_and_said(exported):
    out, done = exported
    assert done.rare == ("1 biomarkers by phase",)
    assert set(open_tables(out).biomarkers.collect()["phase"]) == {"session", "rest"}


def test_nothing_of_the_original_is_in_any_byte(exported):
    out, _ = exported
    for path in (p for p in out.rglob("*") if p.is_file()):
        for secret in (b"kim", b"Miller", b"clinic-west", b"run-a", b"abababab", b"moved"):
            assert secret not in path.read_bytes() + str(path.relative_to(out)).encode()


@pytest.mark.parametrize(
    ("column", "value", "kind"),
    [
        ("subject_id", "P-kim1", "subject id"),
        ("reason", "visit1-kim1", "session id"),
        ("message", "see Miller Chest", "channel name"),
        ("message", "Mrs Miller moved", "message"),
        ("message", "of 2026-01-01", "date"),
        ("message", "/home/miller/x.wav", "path"),
        ("fingerprint", "ab" * 32, "hash of a recording"),
        ("message", "run-a", "run id"),
    ],
)
def test_the_second_pass_refuses_what_the_first_one_left(root, tmp_path, monkeypatch, column, value, kind):
    honest = module._session

    def leaking(row, key):
        return honest(row, key) | {column: value}

    if column == "subject_id":
        monkeypatch.setattr(module, "_person", lambda row, key: {"subject_id": value, "visit": "1"})
    monkeypatch.setattr(module, "_session", leaking)
    with pytest.raises(TablesError, match=f"refused and removed: a {kind}") as caught:
        deidentify(root, tmp_path / "out", key_file=tmp_path / "key.csv", choice=Choice())
    assert value not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_the_second_pass_finds_dates_that_were_not_shifted(root, tmp_path, monkeypatch):
    from datetime import timedelta

    from cueflow.storage.sharing import pseudonyms

    monkeypatch.setattr(pseudonyms, "_shift", lambda: timedelta(0))
    with pytest.raises(TablesError, match="a date of the original"):
        deidentify(root, tmp_path / "out", key_file=tmp_path / "key.csv", choice=Choice())


def test_the_second_pass_reads_names_of_files(root, tmp_path):
    deidentify(root, tmp_path / "out", key_file=tmp_path / "key.csv", choice=Choice())
    (tmp_path / "out" / "notes-P-kim1.txt").write_text("x")
    with pytest.raises(TablesError, match="subject id"):
        second_pass(root, tmp_path / "out")


def test_own_actions_are_chosen_by_name_and_rare_ones_left_out(rows_builder, tmp_path):
    store = TableStore(tmp_path / "tables", "d")
    with store.writing(root_fingerprint="f", session_ids=[f"visit-{k}" for k in range(6)]):
        for k in range(6):
            tables = rows_builder(f"visit-{k}", "run-a", subject=f"person-{k}")
            frame = pl.DataFrame(tables["biomarkers"])
            names = [
                "action_wave_rate",
                "action_hum_rate" if k == 0 else "hrv_rmssd",
                *["hrv_rmssd"] * (frame.height - 2),
            ]
            renamed = frame.with_columns(biomarker=pl.Series(names)).to_arrow().cast(tables["biomarkers"].schema)
            store.commit_session(f"visit-{k}", tables | {"biomarkers": renamed}, run_id="run-a")
    choice = Choice(biomarkers=["action_*"])
    done = deidentify(store.root, tmp_path / "out", key_file=tmp_path / "key.csv", choice=choice)
    assert set(open_tables(tmp_path / "out").biomarkers.collect()["biomarker"]) == {"action_wave_rate"}
    assert done.rare == ("1 biomarkers by biomarker",)
    assert set(open_tables(tmp_path / "out").sessions.collect()["own_biomarkers"].explode()) == {"action_wave_rate"}


def test_too_few_subjects_and_bad_places_are_refused(root, tmp_path):
    with pytest.raises(TablesError, match="Only 6 subjects"):
        deidentify(root, tmp_path / "o", key_file=tmp_path / "k", choice=Choice(k=7))
    with pytest.raises(TablesError, match="inside the export"):
        deidentify(root, tmp_path / "o", key_file=tmp_path / "o" / "k", choice=Choice())
    with pytest.raises(TablesError, match="inside the tables"):
        deidentify(root, root / "o", key_file=tmp_path / "k", choice=Choice())
    with pytest.raises(TablesError, match="No biomarker is called 'mood'"):
        deidentify(root, tmp_path / "o", key_file=tmp_path / "k", choice=Choice(biomarkers=["mood"]))


def test_a_bids_derivative_has_a_description_and_a_sidecar_for_each_table(root, tmp_path):
    out = tmp_path / "bids"
    assert to_bids(root, out) == 12
    said = json.loads((out / "dataset_description.json").read_text())
    assert said["DatasetType"] == "derivative"
    assert said["GeneratedBy"][0]["Name"] == "cueflow"
    folder = out / "sub-Pkim1" / "ses-visit1kim1"
    names = sorted(p.name for p in folder.iterdir())
    assert names == [
        f"sub-Pkim1_ses-visit1kim1_desc-cueflow_{table}.{kind}"
        for table in ("events", "features", "timeseries")
        for kind in ("json", "tsv")
    ]
    events = pl.read_csv(folder / names[1], separator="\t", null_values="n/a")
    assert events.columns[:2] == ["onset", "duration"]
    about = json.loads((folder / names[0]).read_text())
    assert set(events.columns) <= set(about)
    assert about["onset"]["Units"] == "s"
    # What validators refuse: empty cells, suffixes they do not know, addresses that are none.
    assert not any("" in line.split("\t") for path in out.rglob("*.tsv") for line in path.read_text().splitlines())
    assert "*_features.tsv" in (out / ".bidsignore").read_text().splitlines()
    assert said["SourceDatasets"] == [{"Version": "clinic-west"}]
    people = pl.read_csv(out / "participants.tsv", separator="\t")
    assert people["participant_id"].n_unique() == 6


def test_provenance_is_a_graph_whose_ends_all_exist(root):
    from datetime import UTC, datetime

    began = {"started": datetime(2026, 1, 1, tzinfo=UTC), "parameters": {"workers": 2}}
    with recorded_run(root, "run-a", **began):
        killed = provenance(root)["activity"]["run:run-a"]
    assert json.loads(killed["cueflow:parameters"]) == {"workers": 2}  # also of a run that never ended
    assert killed["prov:endTime"].startswith("2026-01-01")  # when its last session was written
    graph = provenance(root)
    known = {name for kind in ("entity", "activity", "agent") for name in graph[kind]}
    relations = [
        r for kind in ("used", "wasGeneratedBy", "wasInformedBy", "wasAssociatedWith") for r in graph[kind].values()
    ]
    assert {end for relation in relations for end in relation.values()} <= known
    run = graph["activity"]["run:run-a"]
    assert json.loads(run["cueflow:parameters"]) == {"workers": 2}
    assert json.loads(run["cueflow:environment"])["python"]
    assert sum(e.get("prov:type") == "cueflow:session" for e in graph["entity"].values()) == 12
    with pytest.raises(TablesError, match="No session that counts"):
        provenance(root, "another")


def test_provenance_holds_the_steps_their_durations_weights_and_the_fusion_model(tmp_path, rows_builder):
    tables = rows_builder("S1", "run-a")
    frames = {name: pl.DataFrame(table) for name, table in tables.items()}
    frames["sessions"] = frames["sessions"].with_columns(
        physiology_status=pl.lit("ok"), physiology_seconds=2.5, config_hash=pl.lit("c0ffee"),
        input_sha256=pl.lit(json.dumps({"ecg/patient/": "ab" * 32})),
    )  # fmt: skip
    frames["biomarkers"] = frames["biomarkers"].with_columns(
        method=pl.lit("r-peaks"), method_version=pl.lit("3"), model_sha256=pl.lit("11+22")
    )
    frames["predictions"] = frames["predictions"].with_columns(model_sha256=pl.lit("33"))
    made = {name: frame.to_arrow().cast(tables[name].schema) for name, frame in frames.items()}
    store = TableStore(tmp_path / "tables", "d")
    with store.writing(root_fingerprint="f", session_ids=["S1"]):
        store.commit_session("S1", made, run_id="run-a")
    graph = provenance(store.root)
    step = graph["activity"]["run:run-a/d/S1/physiology"]
    assert step == {"cueflow:seconds": 2.5, "cueflow:methods": ["r-peaks 3"]}
    assert graph["activity"]["run:run-a/d/S1/fusion"] == {"cueflow:targets": ["y"]}
    used = {(r["prov:activity"].rpartition("/")[2], r["prov:entity"]) for r in graph["used"].values()}
    assert used == {
        ("physiology", "cueflow:parameters/c0ffee"), ("physiology", f"cueflow:recording/{'ab' * 32}"),
        ("physiology", "cueflow:weights/11"), ("physiology", "cueflow:weights/22"),
        ("fusion", "cueflow:tables/d/S1"), ("fusion", "cueflow:weights/33"),
    }  # fmt: skip
    made_by = {(r["prov:entity"], r["prov:activity"].rpartition("/")[2]) for r in graph["wasGeneratedBy"].values()}
    assert made_by == {("cueflow:tables/d/S1", "physiology"), ("cueflow:predictions/d/S1", "fusion")}
