"""Why a session would run: one thing is changed at a time, and the plan names exactly that."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError

import pytest

from cueflow.flows.planning import plan as planning
from cueflow.flows.planning.plan import Request, plan_run
from cueflow.flows.planning.why import explain_plan, explain_run, session_rows
from cueflow.schemas.config import Config, PhysiologyConfig
from cueflow.schemas.errors import TablesError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Dataset, Group, Marker, Modality, Session, Stream
from cueflow.storage.caches.stage_cache import cache_path, write_results
from cueflow.storage.fingerprints import sha256_file
from cueflow.storage.rows import SessionState, Stamp, session_row, to_table
from cueflow.storage.tables import TableStore
from cueflow.tasks.align import align
from cueflow.tasks.ingest import beside


@pytest.fixture
def dataset(tmp_path):
    """Two sessions with a voice and an ECG each; planning reads bytes, not signals."""
    root = tmp_path / "d"
    root.mkdir()
    sessions = []
    for name in ("S1", "S2"):
        streams = []
        for modality in (Modality.AUDIO, Modality.ECG):
            path = f"{name}-{modality}.bin"
            (root / path).write_bytes(path.encode())
            streams.append(Stream(modality, path))
        sessions.append(Session(name, f"P-{name}", "1", tuple(streams)))
    return Dataset("d", root, tuple(sessions))


@pytest.fixture
def request_(tmp_path):
    return Request(tmp_path / "t", Config(), frozenset(Group), force=False)


@pytest.fixture
def written(dataset, request_):
    """Tables as a run leaves them: rows, and results of every stage in the cache."""

    def write(*, fingerprint=None, reason=None, of=dataset):
        store = TableStore(request_.tables, dataset.name)
        with store.writing(root_fingerprint="r", session_ids=[s.session_id for s in dataset.sessions]):
            for p in plan_run(of, request_, written={}, file_hash=lambda path, _: sha256_file(path)).todo:
                for group, key in p.keys.items():
                    path = cache_path(store.root, "d", p.session.session_id, group=group, key=key)
                    write_results(path, ())
                state = SessionState(
                    status="failed" if reason else "ok",
                    reason=reason,
                    message="",
                    fusion_status="",
                    fingerprint=p.fingerprint if fingerprint is None else fingerprint,
                    started=datetime.now(UTC),
                    depends_on=p.parts,
                )
                row = session_row(p.session, (), align((), ()), Stamp("r1", "c"), state=state, groups={})
                tables = {"sessions": to_table("sessions", [row])}
                store.commit_session(p.session.session_id, tables, run_id="r1")

    return write


def one(found):
    (changed,) = [why for why in found if why.state != "unchanged"]
    return changed


def test_nothing_written_means_everything_is_new(dataset, request_):
    found = explain_run(dataset, request_)
    assert [(w.state, w.stages, w.status) for w in found] == [("new", ("audio", "physiology"), "")] * 2
    assert not request_.tables.exists()


def test_nothing_changed_means_nothing_runs(dataset, request_, written):
    written()
    assert [(w.state, w.stages, w.reason) for w in explain_run(dataset, request_)] == [("unchanged", (), "")] * 2


def test_another_recording_runs_its_stage_alone(dataset, request_, written):
    written()
    (dataset.root / "S2-ecg.bin").write_bytes(b"other")
    why = one(explain_run(dataset, request_))
    assert (why.session_id, why.stages, why.outdated) == ("S2", ("physiology",), False)
    assert why.reason == "physiology: other recordings"


def test_another_parameter_runs_the_stage_it_belongs_to(dataset, request_, written):
    written()
    config = Config(physiology=PhysiologyConfig(rate_tolerance=0.031))
    found = explain_run(dataset, replace(request_, config=config))
    assert {(w.stages, w.reason, w.outdated) for w in found} == {
        (("physiology",), "physiology: other configuration", False)
    }


def test_a_newer_method_runs_its_stage_and_counts_as_outdated(dataset, request_, written, monkeypatch):
    written()
    versions = {Group.AUDIO: "next", Group.PHYSIOLOGY: planning.method_version(Group.PHYSIOLOGY)}
    planning._method_parts.cache_clear()
    monkeypatch.setattr(planning, "method_version", versions.__getitem__)
    try:
        found = explain_run(dataset, request_)
    finally:
        planning._method_parts.cache_clear()
    assert {(w.stages, w.reason, w.outdated) for w in found} == {(("audio",), "audio: newer method", True)}


@pytest.mark.parametrize(
    ("change", "stages", "reason"),
    [
        ({"visit": "2"}, (), "other subject or visit"),
        (
            {"streams": ()},
            (),
            "audio: no recordings any more, or left out; physiology: no recordings any more, or left out",
        ),
        (
            {"markers": (Marker(0.0, 5.0, "rest"),)},
            ("audio", "physiology"),
            "audio: other phases or exclusions; physiology: other phases or exclusions",
        ),
    ],
)
def test_what_the_manifest_says(dataset, request_, written, change, stages, reason):
    written()
    first, second = dataset.sessions
    why = one(explain_run(replace(dataset, sessions=(replace(first, **change), second)), request_))
    assert why.stages == stages
    assert sorted(why.reason.split("; ")) == sorted(reason.split("; "))


def test_another_fusion_model_computes_no_stage(dataset, request_, written):
    written()
    found = explain_run(dataset, replace(request_, fusion_sha256="m"))
    assert {(w.state, w.stages, w.reason) for w in found} == {("changed", (), "other fusion model")}


@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: b"0" + raw[1:], lambda raw: b""])
def test_a_cut_or_altered_cache_entry_is_computed_again(dataset, request_, written, damage):
    written()
    ((path, raw),) = [(p, p.read_bytes()) for p in request_.tables.glob(".cueflow/cache/*/session=S2/audio-*")]
    path.write_bytes(damage(raw))
    assert {w.state for w in explain_run(dataset, request_)} == {"unchanged"}  # the rows in the tables are whole
    found = {w.session_id: w.stages for w in explain_run(dataset, replace(request_, fusion_sha256="m"))}
    assert found == {"S1": (), "S2": ("audio",)}


def test_what_the_machine_stopped_is_tried_again(dataset, request_, written):
    written(fingerprint="", reason=Reason.TIME_LIMIT)
    found = explain_run(dataset, request_)
    assert {w.state for w in found} == {"changed"}
    assert all("time_limit" in w.reason and "tried again" in w.reason for w in found)


@pytest.mark.parametrize("table", ["sessions", "biomarkers"])
def test_a_session_with_a_damaged_file_is_written_again(dataset, request_, written, table):
    written()
    folder = request_.tables / table / "dataset=d" / "session=S1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part.parquet").write_bytes(b"PAR1 cut")
    found = {w.session_id: w for w in explain_run(dataset, request_)}
    assert (found["S1"].state, found["S1"].stages, found["S1"].status) == ("changed", (), "damaged")
    assert "damaged" in found["S1"].reason
    assert found["S2"].state == "unchanged"


def test_force_and_rows_of_older_versions(dataset, request_, written):
    written()
    assert {w.state for w in explain_run(dataset, replace(request_, force=True))} == {"forced"}
    rows = session_rows(request_.tables, "d")
    older = {name: row | {"depends_on": None, "fingerprint": "f"} for name, row in rows.items()}
    plan = plan_run(dataset, request_, written=dict.fromkeys(older, "f"), file_hash=lambda path, _: sha256_file(path))
    assert all("older version" in why.reason for why in explain_plan(plan, older))


def test_a_folder_of_other_files_is_refused(dataset, request_):
    request_.tables.mkdir()
    (request_.tables / "thesis.doc").write_text("x")
    with pytest.raises(TablesError):
        explain_run(dataset, request_)


def test_a_newer_way_to_place_clocks_runs_the_session_but_no_stage(dataset, request_, written, monkeypatch):
    written()
    monkeypatch.setattr(planning.clock, "VERSION", "next")
    found = explain_run(dataset, request_)
    assert {(w.stages, w.reason, w.outdated) for w in found} == {((), "newer method of placing clocks", True)}


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("S1.dat", "S1.hea"),
        ("S1.hea", "S1.dat"),
        ("sub-1/func/sub-1_task-rest_physio.tsv.gz", "task-rest_physio.json"),
        ("E4/BVP.csv", "E4/tags.csv"),
    ],
)
def test_a_corrected_file_beside_a_recording_runs_its_session_again(dataset, request_, written, path, other):
    for name in (path, other):
        (dataset.root / name).parent.mkdir(parents=True, exist_ok=True)
        (dataset.root / name).write_text("{}")
    first, second = dataset.sessions
    changed = replace(dataset, sessions=(replace(first, streams=(Stream(Modality.PPG, path),)), second))
    written(of=changed)
    assert {w.state for w in explain_run(changed, request_)} == {"unchanged"}
    (dataset.root / other).write_text('{"corrected": 1}')
    assert one(explain_run(changed, request_)).reason == "physiology: other recordings"


def test_a_package_that_was_missing_runs_the_sessions_that_need_it(dataset, request_, written, monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    (dataset.root / "a.acq").write_text("x")
    first, second = dataset.sessions
    changed = replace(dataset, sessions=(replace(first, streams=(Stream(Modality.PPG, "a.acq"),)), second))
    monkeypatch.setattr(beside, "version", missing)
    written(of=changed)
    assert {w.state for w in explain_run(changed, request_)} == {"unchanged"}
    monkeypatch.setattr(beside, "version", lambda _: "1.0")
    assert one(explain_run(changed, request_)).reason == "physiology: another package that reads its files"
