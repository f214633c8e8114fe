"""Curves to intervals, composite rules, annotations, and model files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cueflow.schemas.errors import ConfigError, DatasetError, ModelError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import Event
from cueflow.tasks.actions.answer.composite import allen, find_composites, read_rules
from cueflow.tasks.actions.answer.detect import Span, candidates, events, hysteresis, runs, soft_nms, span_score
from cueflow.tasks.actions.data.annotations import read_annotations
from cueflow.tasks.actions.data.labels import Action, outside, step_labels, usable_classes
from cueflow.tasks.actions.store.files import load_model, save_model
from cueflow.tasks.actions.store.model import Curves, Steps, curves


def test_runs_and_hysteresis_by_hand():
    assert runs(np.array([True, True, False, True])) == [(0, 1), (3, 3)]
    curve = np.array([0.1, 0.3, 0.6, 0.3, 0.1, 0.3, 0.3, 0.1, 0.9])
    assert hysteresis(curve, 0.5) == [(1, 3), (8, 8)]  # 5 to 6 never reaches the level
    assert hysteresis(curve, 0.5, drop=2) == [(1, 3)]
    assert hysteresis(curve, 0.5, merge=4) == [(1, 8)]


def test_the_score_rises_where_the_curve_stands_out():
    assert span_score(np.array([0.0, 0.8, 0.8, 0.0]), 1, 2) == pytest.approx(0.8 * 1.5)
    assert span_score(np.full(4, 0.8), 1, 2) == pytest.approx(0.8)


def test_soft_suppression_by_hand():
    kept = soft_nms([Span(0, 9, 0.9), Span(0, 9, 0.8), Span(50, 59, 0.5)])
    assert [s.first for s in kept] == [0, 50, 0]
    assert kept[2].score == pytest.approx(0.8 * np.exp(-2))
    assert soft_nms([]) == []


def two_at_once(model):
    """Classes back and there on at once, a patch that moves, back looking at there."""
    count = 80
    on = np.zeros((count, 3))
    on[20:40, [0, 2]] = 0.9
    speed = np.zeros((count, 64), np.float32)
    speed[:, 8 * 2 + 6] = 5.0
    steps = Steps(100 + np.arange(count) / 8, np.zeros((count, 1)), np.zeros((count, 1)), speed, np.ones(count))
    support = np.tile(np.array([[0.2, 0.0, 0.8], [0, 1, 0], [0.1, 0, 0.9]]), (count, 1, 1))
    return Curves(steps, on, support, np.ones_like(on))


def test_concurrent_classes_do_not_suppress_one_another(model):
    ranked = candidates(model, two_at_once(model))
    assert ranked["back"][0].score == pytest.approx(ranked["there"][0].score)
    assert ranked["look"] == []


def test_events_say_when_where_and_because_of_what(model):
    found = {e.label: e for e in events(model, two_at_once(model))}
    assert set(found) == {"back", "there"}
    event = found["back"]
    assert event.kind == "action"
    assert event.start_s == pytest.approx(102.5, abs=0.5)
    assert event.end_s == pytest.approx(105.0, abs=0.5)
    assert event.evidence["centroid_x"] == pytest.approx(6.5 / 8, abs=1e-3)
    assert event.evidence["centroid_y"] == pytest.approx(2.5 / 8, abs=1e-3)
    assert str(event.evidence["patches"]).startswith("2 6")
    assert event.evidence["because_of"] == "there 0.80"


def test_nothing_is_found_in_a_gap(model, clips):
    steps = model.preparation.apply(clips[0].features, model.setting)
    empty = replace(steps, mask=np.zeros_like(steps.mask))
    assert events(model, curves(model, empty)) == ()


def event(label, start, end, score=0.9):
    return Event("action", label, start, end, score)


@pytest.mark.parametrize(
    ("first", "second", "relation"),
    [
        ((0, 2), (5, 8), "before"), ((0, 5), (5, 8), "meets"), ((0, 6), (5, 8), "overlaps"), ((5, 6), (5, 8), "starts"),
        ((6, 7), (5, 8), "during"), ((6, 8), (5, 8), "finishes"), ((5, 8), (5, 8), "equals"),
        ((9, 10), (5, 8), "after"), ((8, 9), (5, 8), "met_by"), ((6, 9), (5, 8), "overlapped_by"),
        ((5, 9), (5, 8), "started_by"),
        ((4, 9), (5, 8), "contains"), ((4, 8), (5, 8), "finished_by"),
    ],
)  # fmt: skip
def test_all_relations_of_allen(first, second, relation):
    assert allen(event("a", *first), event("b", *second)) == relation


RULES = """
composites:
  - {label: restless, first: fumble, relation: [overlaps, during, contains], second: legs, min_overlap_s: 2}
  - {label: nod then smile, first: nod, relation: before, second: smile, max_gap_s: 3}
  - {label: many nods, count: nod, at_least: 2, within_s: 10}
"""


def test_composites_by_hand(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    actions = [
        event("fumble", 0, 5, 0.6), event("legs", 2, 9), event("legs", 4, 9),  # the second overlap is 1 s
        event("nod", 20, 21), event("smile", 23, 25), event("smile", 30, 32), event("nod", 29, 29.5),
    ]  # fmt: skip
    found = find_composites(read_rules(path), actions)
    assert [(e.label, e.start_s, e.end_s) for e in found] == [
        ("restless", 0, 9), ("many nods", 20, 29.5), ("nod then smile", 20, 25), ("nod then smile", 29, 32),
    ]  # fmt: skip
    assert found[0].score == 0.6
    assert found[0].evidence["because_of"] == "fumble overlaps legs"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{label: x, first: a, relation: beside, second: b}", "no relation beside"),
        ("{label: x, first: a, relation: meets}", "second"),
        ("{label: x, count: a, at_least: 1, within_s: 3}", "2 or more"),
        ("{label: x, first: a, relation: meets, second: b, speed: 3}", "speed is unknown"),
    ],
)
def test_wrong_rules_are_refused(tmp_path, rule, message):
    path = tmp_path / "rules.yaml"
    path.write_text(f"composites:\n  - {rule}\n")
    with pytest.raises(ConfigError, match=message):
        read_rules(path)


HEAD = "session_id,onset_s,duration_s,label\n"


def test_labels_are_read_and_may_overlap(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(HEAD + "s1,4,2,nod\ns1,1,5,talk\ns2,0,1,nod\n")
    found, _ = read_annotations(path)
    assert found["s1"] == (Action("talk", 1, 6), Action("nod", 4, 6))
    table = step_labels(found["s1"], np.array([0.5, 1.5, 4.5, 6.0]), ("nod", "talk"))
    assert table.tolist() == [[0, 0], [0, 1], [1, 1], [0, 0]]
    assert outside(found["s1"], 10, 20) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD, "holds no annotation"),
        ("session_id,onset_s,label\ns1,1,nod\n", "duration_s is missing"),
        (HEAD + "s1,1,0,nod\n", "line 2"),
        (HEAD + "s1,1,2,nod\ns1,x,2,nod\n", "line 3"),
        (HEAD + "s1,nan,2,nod\n", "line 2"),
        (HEAD + "s1,1,2,\n", "line 2"),
    ],
)
def test_wrong_labels_are_refused(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_annotations(path)


def test_rare_classes_are_named_and_left_out():
    labels = {
        "s1": [Action("nod", 0, 1), Action("cough", 1, 2), Action("cough", 3, 4)],
        "s2": [Action("nod", 0, 1), Action("sneeze", 0, 1)],
    }
    classes, warnings = usable_classes(labels, {"s1": "p1", "s2": "p2"})
    assert classes == ("nod",)
    assert [w.split(":")[0] for w in warnings] == ["cough", "sneeze"]


def test_a_model_comes_back_as_it_was(model, clips, tmp_path):
    save_model(model, tmp_path / "m")
    again = load_model(tmp_path / "m", backbone_sha256=model.setting.backbone_sha256)
    one, two = (curves(m, m.preparation.apply(clips[11].features, m.setting)).probability for m in (model, again))
    assert (one == two).all()
    assert again.classes == model.classes
    assert again.card == model.card
    assert "10 sessions of 5 subjects" in (tmp_path / "m" / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_one_altered_byte_is_noticed(model, tmp_path, name):
    save_model(model, tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[-40] ^= 1
    (tmp_path / name).write_bytes(bytes(content))
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path, backbone_sha256=model.setting.backbone_sha256)
    assert caught.value.reason is Reason.MODEL_HASH


def test_another_backbone_and_an_empty_folder_are_refused(model, tmp_path):
    save_model(model, tmp_path / "m")
    with pytest.raises(ModelError, match="another backbone"):
        load_model(tmp_path / "m", backbone_sha256="c" * 64)
    with pytest.raises(ModelError, match="cueflow actions train"):
        load_model(tmp_path, backbone_sha256="c" * 64)
