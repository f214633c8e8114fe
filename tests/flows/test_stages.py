"""Stages as a worker runs them, without Prefect: every declared biomarker is measured, trouble becomes a state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cueflow.flows.work.jobs import StageJob
from cueflow.flows.work.stages import MODELS, model_store, run_stage
from cueflow.schemas.biomarkers import SERIES, of_modality
from cueflow.schemas.config import Config
from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.session import Group
from cueflow.storage.caches.stage_cache import cache_path, read_results
from cueflow.tasks.ingest.dataset import read_dataset
from cueflow.tasks.simulate import Effects, simulate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """One session of 10 s with everything that can be simulated."""
    root = tmp_path_factory.mktemp("stages") / "cohort"
    simulate(root, sessions=1, minutes=10 / 60, seed=2, effects=Effects.quick())
    return read_dataset(root)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    """Run a stage of the session; `change` replaces parts of the job."""
    tables = tmp_path_factory.mktemp("tables")

    def stage(group, **change):
        try:
            for name in MODELS[group]:
                model_store().path(name)
        except ModelError as error:
            pytest.skip(error.message)
        (session,) = dataset.sessions
        job = StageJob(
            group=group,
            dataset_root=str(dataset.root),
            tables_root=str(tables),
            dataset=dataset.name,
            session_id=session.session_id,
            key="0" * 64,
            streams=tuple(s for s in session.streams if s.modality.group is group),
            input_sha256={},
            markers=session.markers,
            exclusions=session.exclusions,
            config=Config(),
        )
        job = replace(job, **change)
        told = []
        run_stage(job, progress=told.append)
        results = read_results(cache_path(tables, job.dataset, job.session_id, group=group, key=job.key))
        return results, told

    return stage


@pytest.mark.parametrize("group", list(Group))
def test_every_declared_biomarker_of_a_stream_is_measured_and_nothing_else(run, group):
    results, told = run(group)
    assert results
    for result in results:
        assert result.status is not Status.FAILED, result.message
        session = [m for m in result.findings.measures if m.window.phase == "session"]
        declared = {b.name for b in of_modality(result.modality)}
        assert {m.biomarker for m in session} == declared
        assert len(session) == len(declared)
        assert {s.name for s in result.findings.series} <= set(SERIES)
        assert all((m.value is not None) or m.reason is not None for m in result.findings.measures)
    assert told == sorted(told)
    assert told[-1] <= 1.0


def test_a_stream_that_cannot_be_read_leaves_the_others_alone(run, dataset):
    (session,) = dataset.sessions
    ecg, ppg = (next(s for s in session.streams if s.modality == m) for m in ("ecg", "ppg"))
    results, _ = run(Group.PHYSIOLOGY, streams=(replace(ecg, channel="nose"), ppg), key="1" * 64)
    assert [(r.modality, r.status, r.reason) for r in results] == [
        ("ecg", Status.FAILED, Reason.COLUMN_MISSING),
        ("ppg", Status.OK, None),
    ]


def test_the_second_decoder_finds_the_same(run):
    first, _ = run(Group.VIDEO)
    second, _ = run(Group.VIDEO, decoder="av", key="2" * 64)
    values = [
        {m.biomarker: m.value for m in r[0].findings.measures if m.window.phase == "session"} for r in (first, second)
    ]
    for name in ("face_visible_share", "face_mouth_open_mean", "head_pitch_sd", "motion_energy_mean"):
        if values[0][name] is not None:
            assert values[1][name] == pytest.approx(values[0][name], rel=0.05, abs=0.01), name
