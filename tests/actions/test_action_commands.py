"""From a simulated dataset to detected events through the commands, with a tiny backbone; and bad usage."""

from __future__ import annotations

import json
from dataclasses import replace

import av
import matplotlib.pyplot as plt
import numpy as np
import pytest
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Eight sessions of four subjects, with the annotations that the simulator writes."""
    from cueflow.tasks.simulate import Effects, simulate

    root = tmp_path_factory.mktemp("cohort") / "data"
    effects = replace(Effects.quick(width=192, height=108), modalities=("video",), patches_per_min=30.0)
    simulate(root, sessions=8, minutes=0.1, effects=effects)
    return root


@pytest.fixture
def command(monkeypatch, tiny_folder, tmp_path):
    """Run a command in this process, with the tiny backbone in the place of the one of the lock file."""
    from cueflow.cli.main import app
    from cueflow.flows.actions import backbones

    monkeypatch.setattr(backbones, "model_path", lambda _name: tiny_folder)

    def run(*arguments):
        return CliRunner().invoke(app, ["actions", *map(str, arguments)])

    return run


def test_train_evaluate_and_detect(command, cohort, tmp_path):
    common = ("--cache", tmp_path / "cache")
    done = command("train", cohort, *common, "--out", tmp_path / "m", "--epochs", 3, "--rate", 4, "--motion", "pixels")
    assert done.exit_code == 0, done.output
    assert "classes from" in done.output
    cached = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.safetensors")}
    assert len(cached) >= 6

    done = command("evaluate", cohort, *common, "--model", tmp_path / "m", "--json")
    found = json.loads(done.stdout)
    assert set(found) == {
        "frame_map", "event_map", "segment_f1", "conditional", "per_class", "subjects", "ci",
    }  # fmt: skip
    assert set(found["event_map"]) == {"0.3", "0.5", "mean"}
    assert set(found["segment_f1"]) == {"0.1", "0.25", "0.5"}
    assert "4 subject(s) were trained on" in done.stderr
    assert set(found["per_class"]) <= {"nod", "shake", "hand sideways", "hand up_down"}
    assert len(found["per_class"]) >= 2
    assert 0 <= found["ci"]["frame_map"][0] <= found["frame_map"] <= found["ci"]["frame_map"][1] <= 1
    assert {p: p.stat().st_mtime_ns for p in cached} == cached  # nothing was made again

    rules = tmp_path / "rules.yaml"
    rules.write_text("composites: [{label: both, first: nod, relation: [before, meets], second: hand sideways}]")
    done = command("detect", cohort, "--model", tmp_path / "m", "--cache", tmp_path / "cache", "--rules", rules)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["kind"] for line in lines} <= {"action", "composite"}
    assert all(line["start_s"] < line["end_s"] <= 8.0 for line in lines)

    shown = ("show", cohort, "s001", "--model", tmp_path / "m", "--cache", tmp_path / "cache")
    done = command(*shown, "--start", 1.5, "--end", 3, "--out", tmp_path / "pictures")
    assert done.exit_code == 0, done.output
    picture, film = (tmp_path / "pictures" / f"s001_1p5_3s.{kind}" for kind in ("png", "mp4"))
    assert plt.imread(picture).std() > 0
    with av.open(str(film)) as opened:
        assert 1.0 < sum(1 for _ in opened.decode(video=0)) / float(opened.streams.video[0].average_rate) < 2.0
    done = command(*shown, "--start", 3, "--end", 1, "--out", tmp_path / "pictures")
    assert "longer than 0" in done.exception.message
    done = command("show", cohort, "nobody", *shown[3:], "--start", 1, "--end", 3, "--out", tmp_path)
    assert "is no session" in done.exception.message


def test_words_beside_motion_and_alone(command, cohort, words_folder, tmp_path):
    (tmp_path / "p.yaml").write_text("nod: [a person nods]\ntouch: a hand on a face\n")
    spoken = ("--words", words_folder, "--prompts", tmp_path / "p.yaml")
    common = ("--cache", tmp_path / "cache")
    made = ("--out", tmp_path / "m", "--epochs", 1, "--rate", 4, "--motion", "pixels", "--no-appearance")
    done = command("train", cohort, *common, *made, *spoken, "--adapter", "gru")
    assert done.exit_code == 0, done.output
    assert "in words: nod, touch" in (tmp_path / "m" / "MODEL_CARD.md").read_text()
    assert json.loads((tmp_path / "m" / "model.json").read_text())["model"]["shape"]["unit"] == "gru"
    asked = ("detect", cohort, "--model", tmp_path / "m", "--session", "s001", *common)
    assert command(*asked, "--words", words_folder).exit_code == 0
    assert "with --words" in command(*asked).exception.message

    done = command("cues", cohort, *spoken, "--session", "s001", "--rate", 4)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(line["kind"] == "cue" and line["label"] in {"nod", "touch"} for line in lines)


def test_folds_by_subject(command, cohort, tmp_path):
    common = ("evaluate", cohort, "--epochs", 1, "--cache", tmp_path, "--rate", 4)
    done = command(*common, "--motion", "pixels", "--no-appearance", "--folds", 4)
    assert done.exit_code == 0, done.output
    assert "4 subjects" in done.output
    assert "frame mAP" in done.output
    done = command(*common, "--motion", "pixels", "--folds", 2)
    assert "2 annotated subject(s) are too few" in done.exception.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "{cohort}"), "either --model or --folds"),
        (("evaluate", "{cohort}", "--labels", "nowhere.csv", "--folds", "2"), "cannot be read"),
        (("train", "nowhere", "--out", "m"), "not a folder"),
        (("detect", "{cohort}", "--model", "nowhere"), "no action model there"),
    ],
)
def test_bad_usage_is_a_typed_error(command, cohort, arguments, message):
    from cueflow.schemas.errors import CueflowError

    done = command(*(a.format(cohort=cohort) for a in arguments))
    assert isinstance(done.exception, CueflowError)
    assert message in done.exception.message


def test_annotations_of_an_unknown_session_are_refused(command, cohort, tmp_path):
    labels = tmp_path / "a.csv"
    labels.write_text("session_id,onset_s,duration_s,label\nnobody,1,1,nod\n")
    done = command("train", cohort, "--labels", labels, "--out", tmp_path / "m", "--cache", tmp_path)
    assert "'nobody', which is no session" in done.exception.message


def test_help_of_every_command():
    from cueflow.cli.main import app

    for name in ("train", "evaluate", "detect", "show"):
        done = CliRunner().invoke(app, ["actions", name, "--help"])
        assert done.exit_code == 0
        assert "Example: " in done.output


def test_an_adapter_inside_the_backbone(command, cohort, tmp_path):
    from cueflow.flows.actions.models import RunActions

    made = ("--cache", tmp_path / "cache", "--epochs", 1, "--rate", 4, "--motion", "pixels", "--size", 56)
    done = command("train", cohort, *made, "--out", tmp_path / "m", "--inside", "conv", "--lora", 2)
    assert done.exit_code == 0, done.output
    assert "an adapter inside" in (tmp_path / "m" / "MODEL_CARD.md").read_text()
    common = ("--model", tmp_path / "m", "--cache", tmp_path / "cache")
    done = command("evaluate", cohort, *common, "--json")
    assert 0 <= json.loads(done.stdout)["frame_map"] <= 1
    feed = RunActions(tmp_path / "m").feed()  # as in a run
    feed.take(np.arange(20) / 4, np.zeros((20, 60, 90, 3), np.uint8))
    assert feed.features().appearance.shape == (20, 48)
    weights = tmp_path / "m" / "inside" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    fresh = ("--model", tmp_path / "m", "--cache", tmp_path / "elsewhere", "--session", "s001")
    assert "changed after it was written" in command("detect", cohort, *fresh).exception.message
    command("train", cohort, *made, "--out", tmp_path / "other", "--inside", "none", "--seed", 1)
    (tmp_path / "m" / "inside" / "adapter_config.json").write_bytes(
        (tmp_path / "other" / "inside" / "adapter_config.json").read_bytes()
    )
    assert "not the one it was trained with" in command("detect", cohort, *fresh).exception.message


@pytest.mark.parametrize(
    ("options", "message"), [(("--inside", "conv", "--no-appearance"), "leave out"), (("--lora", "4"), "goes with")]
)
def test_options_that_do_not_go_together(command, cohort, tmp_path, options, message):
    done = command("train", cohort, "--out", tmp_path / "m", *options)
    assert message in done.exception.message
