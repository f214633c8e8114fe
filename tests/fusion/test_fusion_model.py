"""Train, apply, explain, save: exactness and honest refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.fusion import (
    explain,
    explain_text,
    load_model,
    predict,
    save_model,
    train,
)
from cueflow.tasks.fusion.answer.explain import EventLink
from cueflow.tasks.fusion.answer.predict import read_sessions
from cueflow.tasks.fusion.answer.words import _event_lines
from cueflow.tasks.fusion.learn.basis import side_by_side
from cueflow.tasks.fusion.learn.joint import mean_of
from cueflow.tasks.fusion.learn.linear import sigmoid


def test_contributions_add_up_exactly(predictions):
    for p in predictions:
        assert p.log_odds == pytest.approx(p.bias + sum(c.contribution for c in p.contributions), abs=1e-9)


def test_probability_is_that_of_the_log_odds_inside_its_interval(predictions):
    answered = [p for p in predictions if not p.abstained]
    assert len(answered) > 0.9 * len(predictions)
    for p in answered:
        assert p.probability == pytest.approx(float(sigmoid(np.array([p.log_odds]))[0]), abs=1e-12)
        assert p.interval_low < p.probability < p.interval_high


@pytest.mark.parametrize(("kinds", "baseline"), [("linear", "none"), ("boosted", "cohort"), ("boosted", "subject")])
def test_sums_are_exact_for_every_expert_and_baseline(make_cohort, kinds, baseline):
    cohort = make_cohort(subjects=12, sessions=6, missing=0.2, gone=0.2, seed=2)
    model = train(cohort.frame, cohort.labels, target="pain", kinds=(kinds,), baseline=baseline)
    for p in predict(model, cohort.frame):
        assert p.log_odds == pytest.approx(p.bias + sum(c.contribution for c in p.contributions), abs=1e-6)


def test_values_at_the_reference_add_nothing(model, cohort):
    first = predict(model, cohort.frame)[0]
    reference = {c.biomarker: c.reference for c in first.contributions}
    mine = cohort.frame.filter(pl.col("session_id") == first.session_id)
    flat = mine.with_columns(pl.col("biomarker").replace_strict(reference, return_dtype=pl.Float64).alias("value"))
    (said,) = predict(model, flat)
    assert max(abs(c.contribution) for c in said.contributions) < 1e-9
    assert said.log_odds == pytest.approx(said.bias, abs=1e-9)


def test_values_and_spans_are_those_of_the_table(predictions, cohort):
    p = predictions[3]
    table = cohort.frame.filter(pl.col("session_id") == p.session_id)
    values = dict(zip(table["biomarker"], table["value"], strict=True))
    for c in p.contributions:
        assert c.value == values[c.biomarker]
        if c.value is not None:
            assert (c.span_start_s, c.span_end_s) == (0.0, 60.0)


def test_new_people_are_ranked_well_and_calibrated(make_cohort):
    cohort = make_cohort(subjects=100)
    model = train(cohort.frame, cohort.labels, target="pain", kinds=("linear",))
    new = make_cohort(subjects=300, sessions=4, seed=9)
    from cueflow.tasks.fusion.judge.metrics import auroc, calibration_error

    y = new.labels.sort("session_id")["value"].to_numpy()
    said = sigmoid(np.array([p.log_odds for p in predict(model, new.frame)]))
    truth = np.array([new.probability[s] for s in sorted(new.probability)])
    assert auroc(said, y) > auroc(truth, y) - 0.03
    assert calibration_error(said, y) < 0.05


def test_a_file_gives_the_same_bits(model, cohort, predictions, tmp_path):
    file = save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.sha256 == model.sha256 == json.loads(file.read_text())["sha256"]
    assert predict(again, cohort.frame) == predictions
    assert load_model(file).sha256 == model.sha256
    card = (tmp_path / "model" / "MODEL_CARD.md").read_text()
    assert model.sha256 in card
    assert "40 subjects" in card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda head: head["model"]["pipeline"].update(prior=0.9), "changed after"),
        (lambda head: head.update(version=99), "format 99"),
        (lambda head: head.update(format="other"), "not a fusion model"),
        (lambda head: head.pop("model"), "changed after"),
    ],
)
def test_tampered_and_unknown_files_are_refused(model, tmp_path, change, message):
    file = save_model(model, tmp_path / "model")
    head = json.loads(file.read_text())
    change(head)
    file.write_text(json.dumps(head))
    with pytest.raises(FusionError, match=message) as caught:
        load_model(file)
    assert caught.value.reason is Reason.MODEL_HASH


def test_missing_and_broken_files_are_refused(tmp_path):
    with pytest.raises(FusionError, match="no fusion model there"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(FusionError, match="not a fusion model"):
        load_model(tmp_path)


def test_equal_seeds_give_equal_models(make_cohort):
    cohort = make_cohort(subjects=9, sessions=4, strengths={"audio": 2.0, "video": 2.0}, biomarkers=4)
    shuffled = cohort.frame.sample(fraction=1.0, shuffle=True, seed=1)
    once, again = (train(frame, cohort.labels, target="pain", seed=4).sha256 for frame in (cohort.frame, shuffled))
    assert once == again


def test_every_pattern_of_modalities_is_answered_or_abstained(model, cohort, predictions):
    from itertools import combinations

    whole = next(p.session_id for p in predictions if len({c.modality for c in p.contributions if c.value}) == 3)
    mine = cohort.frame.filter(pl.col("session_id") == whole)
    for size in (1, 2, 3):
        for kept in combinations(("audio", "ecg", "video"), size):
            (p,) = predict(model, mine.filter(pl.col("modality").is_in(kept)))
            gone = [c for c in p.contributions if c.modality not in kept]
            assert all(c.contribution == 0 and c.value is None for c in gone)
            assert p.log_odds == pytest.approx(p.bias + sum(c.contribution for c in p.contributions), abs=1e-9)
    (nothing,) = predict(model, mine.with_columns(value=pl.lit(None, dtype=pl.Float64)))
    assert nothing.abstained
    assert nothing.reason is Reason.FEW_EVIDENCE
    assert nothing.probability is None


def test_bad_quality_fades_into_missing(model, cohort, predictions):
    whole = next(p.session_id for p in predictions if len({c.modality for c in p.contributions if c.value}) == 3)
    mine = cohort.frame.filter(pl.col("session_id") == whole)
    video = pl.col("modality") == "video"
    poor = mine.with_columns(quality=pl.when(video).then(0.0).otherwise(0.9))
    assert predict(model, poor)[0].log_odds == pytest.approx(predict(model, mine.filter(~video))[0].log_odds, abs=1e-9)


def test_strange_sessions_are_abstained_from(model, cohort, predictions):
    p = next(p for p in predictions if not p.abstained)
    mine = cohort.frame.filter(pl.col("session_id") == p.session_id)
    (said,) = predict(model, mine.with_columns(value=pl.col("value") * 50))
    assert said.reason is Reason.OUT_OF_DISTRIBUTION
    assert said.distance > 1 > p.distance


def test_missing_values_widen_the_interval(model, cohort, predictions):
    p = next(p for p in predictions if all(c.value is not None for c in p.contributions))
    mine = cohort.frame.filter(pl.col("session_id") == p.session_id)
    (less,) = predict(model, mine.filter(pl.col("biomarker") != "video_0"))

    def width(said):
        return np.diff([np.log(v / (1 - v)) for v in (said.interval_low, said.interval_high)])[0]

    assert width(less) > width(p)


def test_counterfactual_flips_the_answer_and_stays_in_range(model, cohort, predictions):
    flipped = 0
    for p in predictions[:40]:
        if p.abstained:
            continue
        found = explain(model, cohort.frame, p.session_id)
        if not found.counterfactual:
            continue
        mine = cohort.frame.filter(pl.col("session_id") == p.session_id)
        for change in found.counterfactual:
            every = cohort.frame.filter(pl.col("biomarker") == change.biomarker)["value"]
            low, high = every.min(), every.max()
            assert low - 1e-9 <= change.wanted <= high + 1e-9
            here = pl.col("biomarker") == change.biomarker
            mine = mine.with_columns(value=pl.when(here).then(change.wanted).otherwise(pl.col("value")))
        (after,) = predict(model, mine)
        border = np.log(model.decision / (1 - model.decision))
        assert (after.log_odds >= border) != (p.log_odds >= border)
        flipped += 1
    assert flipped > 20


def test_answers_without_a_modality_are_those_of_the_session_without_it(model, cohort, predictions):
    p = next(p for p in predictions if len({c.modality for c in p.contributions if c.value}) == 3)
    mine = cohort.frame.filter(pl.col("session_id") == p.session_id)
    for entry in explain(model, cohort.frame, p.session_id).without:
        (said,) = predict(model, mine.filter(pl.col("modality") != entry.modality))
        assert entry.probability == pytest.approx(float(sigmoid(np.array([said.log_odds]))[0]), abs=1e-9)


def test_events_behind_several_biomarkers_are_listed_once():
    times = enumerate((1.84, 2.6), start=1)
    beats = [EventLink("ppg", name, "pulse", "normal", t, t, k, 30) for k, t in times for name in ("rate", "gap")]
    said = _event_lines((*beats, EventLink("audio", "pitch", "turn", "patient", 3.0, 5.0, 1, 1)))
    assert said == [
        "first 2 of 30 events pulse/normal at 1.8, 2.6 s (rate, gap)",
        "1 event turn/patient at 3.0 to 5.0 s (pitch)",
    ]


def test_the_first_events_of_each_kind_are_listed_and_all_on_request(model, cohort, predictions):
    p = next(p for p in predictions if all(c.value is not None for c in p.contributions) and not p.abstained)
    top = max(p.contributions, key=lambda c: abs(c.contribution))
    beats, blink = [(float(t), "beat") for t in range(20)], [(30.0, "blink"), (70.0, "blink")]
    events = pl.DataFrame(
        [(p.session_id, kind, kind, t, t + 0.1, top.modality) for t, kind in (*beats, *blink)],
        schema=["session_id", "kind", "label", "start_s", "end_s", "source"],
        orient="row",
    )
    for most, listed in ((5, [*range(1, 6)]), (None, [*range(1, 21)])):
        found = explain(model, cohort.frame, p.session_id, events=events, most_events=most)
        mine = [e for e in found.events if e.biomarker == top.biomarker]
        assert [(e.number, e.of) for e in mine if e.kind == "beat"] == [(k, 20) for k in listed]
        assert [(e.start_s, e.of) for e in mine if e.kind == "blink"] == [(30.0, 1)]  # the other one is outside


def test_explanations_read_well_and_are_json(model, cohort, predictions):
    p = next(p for p in predictions if not p.abstained)
    events = pl.DataFrame(
        {
            "session_id": [p.session_id, p.session_id],
            "kind": ["turn", "blink"],
            "label": ["patient", "blink"],
            "start_s": [5.0, 100.0],
            "end_s": [7.0, 100.2],
            "source": ["audio", "video"],
        }
    )
    found = explain(model, cohort.frame, p.session_id, events=events)
    text = explain_text(found)
    assert f"probability {p.probability:.2f}" in text
    top = sorted(p.contributions, key=lambda c: -abs(c.contribution))[:3]
    said = {side: "".join(x for x in found.sentences if f"Strongest {side} it" in x) for side in ("for", "against")}
    for entry in top:  # each of the three strongest reasons stands on its own side
        assert (entry.biomarker in said["for"]) is (entry.contribution > 0)
        assert (entry.biomarker in said["against"]) is (entry.contribution < 0)
    sides = [text.index(f"Strongest {side} it") for side in ("for", "against") if said[side]]
    assert (sides == sorted(sides)) is found.present or len(sides) == 1  # what agrees with the answer comes first
    assert {e.kind for e in found.events} <= {"turn"}
    json.dumps(found.to_json(), allow_nan=False)
    with pytest.raises(FusionError, match="not in the table"):
        explain(model, cohort.frame, "nobody")


def test_other_method_versions_are_named(make_cohort):
    cohort = make_cohort(subjects=12, sessions=5)
    frame = cohort.frame.with_columns(method_version=pl.lit("1"))
    model = train(frame, cohort.labels, target="pain", kinds=("linear",))
    assert model.methods["ecg_3"] == ("1",)
    newer = pl.when(pl.col("biomarker") == "ecg_3").then(pl.lit("2")).otherwise(pl.lit("1"))
    with pytest.raises(FusionError, match=r"1 biomarkers .* ecg_3 \(2 instead of 1\)"):
        predict(model, frame.with_columns(method_version=newer))


def test_the_joint_model_is_exact_and_fades_with_what_is_missing(make_cohort):
    cohort = make_cohort(subjects=25, sessions=8, gone=0.1, missing=0.1, seed=1)
    model = train(cohort.frame, cohort.labels, target="pain", kinds=("linear",))
    joint = model.pipeline.joint
    assert joint is not None
    read = read_sessions(model, cohort.frame)
    blocks = [read.blocks[part.modality] for part in model.pipeline.parts]
    trust = model.pipeline.fusion.trust(read.reliability)
    weights = joint.additive.weights(blocks, trust)
    known = np.hstack([np.isfinite(block.difference) for block in blocks]).all(axis=1)
    assert weights[known, 0].min() > weights[~known, 0].max()
    assert (weights[:, 1:] == 0).tolist() == (trust == 0).tolist()
    bare = replace(model, pipeline=replace(model.pipeline, joint=None))
    changed = 0
    for with_it, without_it in zip(predict(model, cohort.frame), predict(bare, cohort.frame), strict=True):
        total = with_it.bias + sum(c.contribution for c in with_it.contributions)
        assert with_it.log_odds == pytest.approx(total, abs=1e-9)
        changed += with_it.log_odds != without_it.log_odds
    assert changed == len(known)


def test_the_sampled_model_says_what_was_drawn_on_average(model, cohort):
    """Its terms are those of the posterior's own columns, without the products."""
    pipeline, read = model.pipeline, read_sessions(model, cohort.frame)
    trust = pipeline.fusion.trust(read.reliability)
    kept, _ = side_by_side(pipeline.parts, read.blocks, trust, pairs=False)
    made = mean_of(pipeline.posterior, pipeline.parts, kept)
    assert 0.5 < made.factor < 1
    mean = made.factor * pipeline.posterior.effects.mean(axis=0)
    expected = kept @ mean[1 : 1 + kept.shape[1]]
    blocks = [read.blocks[part.modality] for part in pipeline.parts]
    weights = made.weights(blocks, trust)
    assert made.log_odds(blocks, trust) == pytest.approx(weights[:, 0] * (mean[0] + expected), abs=1e-9)


def test_absence_that_says_a_lot_is_left_to_the_experts(make_cohort):
    cohort = make_cohort(subjects=30, sessions=8, seed=2)
    present = cohort.labels.filter(pl.col("value") > 0)["session_id"]
    told = pl.col("session_id").is_in(present.implode()) & (pl.col("biomarker") == "audio_0")
    frame = cohort.frame.with_columns(value=pl.when(told).then(None).otherwise(pl.col("value")))
    model = train(frame, cohort.labels, target="pain", kinds=("linear",))
    said = {p.session_id: p.log_odds for p in predict(model, frame)}
    right = [said[s] > 0 for s in present if said[s] is not None]
    assert model.pipeline.joint is None
    assert np.mean(right) > 0.99


def test_reasons_are_compared_with_those_of_resampled_persons(model, cohort, predictions):
    p = next(p for p in predictions if not p.abstained)
    found = explain(model, cohort.frame, p.session_id)
    assert len(model.refits) == 20
    assert 0.5 < found.agreement <= 1
    assert found.firm[0].biomarker == max(p.contributions, key=lambda c: abs(c.contribution)).biomarker
    assert all(f.low < f.high for f in found.firm)
    assert "rank agreement of" in " ".join(found.sentences)


def test_a_persons_usual_values_stand_beside_the_reference(model, cohort, predictions):
    p = next(p for p in predictions if not p.abstained)
    found = explain(model, cohort.frame, p.session_id)
    who = cohort.frame.filter(session_id=p.session_id)["subject_id"][0]
    mine = cohort.frame.filter(subject_id=who).drop_nulls("value")
    for usual in found.usual:
        values = mine.filter(biomarker=usual.biomarker)["value"]
        assert usual.sessions == len(values) >= 3
        assert usual.value == pytest.approx(values.median())


def test_curved_experts_find_a_u_shape_and_stay_exact(make_cohort):
    from cueflow.tasks.fusion.judge.metrics import auroc

    cohort = make_cohort(subjects=40, bend=1.0, seed=4)
    new = make_cohort(subjects=150, sessions=4, bend=1.0, seed=40)
    y = new.labels.sort("session_id")["value"].to_numpy()
    curved = train(cohort.frame, cohort.labels, target="pain", kinds=("linear", "curved"), min_support=0.0)
    assert "curved" in {part.expert.candidate.kind for part in curved.pipeline.parts}
    said = predict(curved, new.frame)
    assert auroc(np.array([p.log_odds for p in said]), y) > 0.7
    for p in said:
        assert p.log_odds == pytest.approx(p.bias + sum(c.contribution for c in p.contributions), abs=1e-9)


def test_a_model_knows_who_it_was_trained_on_without_naming_them(model, cohort):
    who = cohort.frame["subject_id"][0]
    assert model.knows(who)
    assert not model.knows("somebody else")
    assert who not in json.dumps(model.to_json())
