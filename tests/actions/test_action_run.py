"""The video stage with an action model: rows, measures, hashes, exclusions, and models that do not fit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np
import polars as pl
import pytest

from cueflow.flows.actions import backbones, models
from cueflow.flows.actions.sessions import ActionPictures
from cueflow.flows.planning.options import Options, preflight
from cueflow.flows.work import stages
from cueflow.flows.work.jobs import StageJob
from cueflow.schemas.config import Config, VideoConfig
from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Exclusion, Group, Marker, Modality, Role, Stream
from cueflow.storage.caches.stage_cache import cache_path, read_results
from cueflow.tasks.actions.answer.composite import RELATIONS
from cueflow.tasks.actions.store.files import RULES_FILE, model_digest, save_model
from cueflow.tasks.simulate import Effects, simulate


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = tmp_path_factory.mktemp("run") / "data"
    effects = replace(Effects.quick(width=192, height=108), modalities=("video",), patches_per_min=20.0)
    simulate(root, sessions=1, minutes=0.2, effects=effects)
    return root


@pytest.fixture
def trained(model, tiny_folder, tmp_path, monkeypatch):
    """A model of the tiny backbone, with a rule beside it."""
    monkeypatch.setattr(stages, "model_path", lambda name: tiny_folder if name == "dinov2_small" else real_path(name))
    monkeypatch.setattr(backbones, "model_path", lambda _name: tiny_folder)
    monkeypatch.setattr(models, "backbone_sha256", lambda _name: model.setting.backbone_sha256)
    models.run_actions.cache_clear()
    sensitive = replace(model, thresholds=model.thresholds * 0 + 1e-3)  # a random backbone: everything is found
    head = replace(sensitive.setting, rate_hz=4.0)
    save_model(fitted(replace(sensitive, setting=head)), tmp_path / "m")
    rule = {"label": "twice", "first": "back", "relation": list(RELATIONS), "second": "there"}
    (tmp_path / "m" / RULES_FILE).write_text(json.dumps({"composites": [rule]}))
    return tmp_path / "m"


real_path = stages.model_path


def fitted(model):
    """The same model for the channels of the tiny backbone."""
    import numpy as np

    ready = model.preparation
    components = np.zeros((48, ready.components.shape[1]), np.float32)
    return replace(model, preparation=replace(ready, appearance_mean=np.zeros(48, np.float32), components=components))


def job(cohort, tables, model, **change) -> StageJob:
    made = StageJob(
        group=Group.VIDEO,
        dataset_root=str(cohort),
        tables_root=str(tables),
        dataset="d",
        session_id="s001",
        key="k" * 64,
        streams=(Stream(Modality.VIDEO, "s001/video.mp4"),),
        input_sha256={},
        markers=(Marker(1.0, 11.0, "talk"),),
        exclusions=(),
        config=Config(video=VideoConfig(action_model=str(model), face_rate_hz=16)),
    )
    return replace(made, **change)


def results(work: StageJob):
    stages.run_stage(work, progress=lambda _: None)
    path = cache_path(Path(work.tables_root), work.dataset, work.session_id, group=work.group, key=work.key)
    (found,) = read_results(path)
    return found


def test_actions_join_the_findings_of_the_video(cohort, trained, tmp_path):
    found = results(job(cohort, tmp_path / "t", trained))
    assert found.findings is not None
    kinds = {e.kind for e in found.findings.events}
    assert {"action", "composite"} <= kinds
    actions = [e for e in found.findings.events if e.kind == "action"]
    assert {e.label for e in actions} <= {"back", "look", "there"}
    assert all(0 <= e.start_s < e.end_s <= found.findings.end_s + 0.2 for e in actions)
    value = {(m.biomarker, m.window.phase): m for m in found.findings.measures}
    assert value["action_back_count", "session"].value == sum(e.label == "back" for e in actions)
    assert value["action_back_total", "talk"].value <= 11.0
    assert value["action_twice_count", "session"].value >= 1
    assert "face_visible_share" in {name for name, _ in value}  # the other measures are there as ever
    assert found.model_sha256.endswith(model_digest(trained))


def test_the_surest_of_each_class_is_shown_in_pictures_and_films(cohort, trained, tmp_path):
    found = results(job(cohort, tmp_path / "t", trained))
    names = ("kind", "label", "start_s", "end_s", "score")
    events = pl.DataFrame([{n: getattr(e, n) for n in names} for e in found.findings.events], infer_schema_length=None)
    row = {"dataset": "data", "session_id": "s001"}
    shown = ActionPictures(cohort, trained, cache=tmp_path / "cache").of(row, events)
    actions = events.filter(kind="action")
    assert {s.label for s in shown} == set(actions["label"])
    assert len(shown) <= 6
    for one in shown:
        picture = cv2.imdecode(np.frombuffer(one.picture, np.uint8), cv2.IMREAD_COLOR)
        assert picture.std() > 0
        with av.open(BytesIO(one.film)) as film:
            times = [frame.time for frame in film.decode(video=0)]
        assert times[-1] - times[0] <= min(one.end_s - one.start_s, 10.0)
    best = actions.filter(label=shown[0].label)["score"].max()
    assert max(s.score for s in shown if s.label == shown[0].label) == best
    pictures = ActionPictures(cohort, trained, cache=tmp_path / "cache")
    for name, session in (("data", "elsewhere"), ("other", "s001")):
        assert pictures.of({"dataset": name, "session_id": session}, events) == ()


def test_nothing_is_found_in_an_excluded_span(cohort, trained, tmp_path):
    spans = (Exclusion(2.0, 2.0, "phone"),)
    found = results(job(cohort, tmp_path / "t", trained, exclusions=spans))
    assert not any(e.start_s < 3.8 and e.end_s > 2.2 for e in found.findings.events if e.kind == "action")


def test_the_clinicians_video_is_not_searched(cohort, trained, tmp_path):
    (tmp_path / "data" / "s001").mkdir(parents=True)
    for name in ("video.mp4", "second.mp4"):
        shutil.copy(cohort / "s001" / "video.mp4", tmp_path / "data" / "s001" / name)
    streams = (
        Stream(Modality.VIDEO, "s001/second.mp4", role=Role.CLINICIAN),
        Stream(Modality.VIDEO, "s001/video.mp4", role=Role.PATIENT),
    )
    work = job(tmp_path / "data", tmp_path / "t", trained, streams=streams)
    assert stages._actions_of(work, streams[0]) is None
    assert stages._actions_of(work, streams[1]) is not None


def test_the_rules_count_for_the_hash_and_the_path_does_not(trained, tmp_path):
    before = model_digest(trained)
    shutil.copytree(trained, tmp_path / "copy")
    assert model_digest(tmp_path / "copy") == before
    (tmp_path / "copy" / RULES_FILE).write_text("composites: []")
    assert model_digest(tmp_path / "copy") != before
    one, two = (Config(video=VideoConfig(action_model=name)) for name in ("a", "b"))
    assert one.sha256 == two.sha256


def options(model) -> Options:
    return Options((), frozenset(Group), None, 1, None, force=False, join=False, action_model=model)


def test_a_run_with_a_wrong_model_ends_before_it_starts(cohort, trained, tmp_path):
    preflight(cohort, dataset_name="d", options=options(trained))
    with pytest.raises(ModelError, match="no action model there"):
        preflight(cohort, dataset_name="d", options=options(tmp_path))
    text = json.loads((trained / "model.json").read_text())
    text["model"]["classes"][0] = "wink"
    (trained / "model.json").write_text(json.dumps(text))
    with pytest.raises(ModelError) as caught:
        preflight(cohort, dataset_name="d", options=options(trained))
    assert caught.value.reason is Reason.MODEL_HASH
