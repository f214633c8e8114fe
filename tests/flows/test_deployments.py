"""What the UI gets: forms with descriptions and bounds, deployments that fit them, allowed folders."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from cueflow.flows.deployments import reprocess as reprocess_module
from cueflow.flows.deployments.choose import Family
from cueflow.flows.deployments.extract import extract
from cueflow.flows.deployments.maintain import maintain
from cueflow.flows.deployments.reprocess import reprocess
from cueflow.flows.deployments.shards import compute
from cueflow.flows.deployments.training import train
from cueflow.flows.roots import ROOTS, allowed, optional, parse_roots, root_text
from cueflow.flows.serving.server import Served, deployments
from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.errors import ConfigError
from cueflow.schemas.session import Group

ROOT = Path(__file__).resolve().parents[2]
FLOWS = {"extract": extract, "reprocess": reprocess, "train": train, "maintain": maintain}


@pytest.mark.parametrize("flow", FLOWS.values(), ids=list(FLOWS))
def test_every_field_of_a_form_has_a_description(flow):
    fields = flow.parameters.properties
    assert all(field.get("description") for field in fields.values())
    assert [fields[name]["position"] for name in fields] == list(range(len(fields)))


def test_choices_are_lists_of_names_and_numbers_have_bounds():
    schema = reprocess.parameters.model_dump()
    assert schema["definitions"]["Pick"]["enum"] == ["failed", "degraded", "outdated", "new", "changed"]
    assert schema["definitions"]["Group"]["enum"] == ["video", "audio", "physiology"]
    for flow in (extract, reprocess):
        workers = flow.parameters.properties["workers"]
        assert (workers["minimum"], workers["maximum"]) == (1, 256)
    assert train.parameters.properties["min_subjects"]["minimum"] == 4
    for flow in FLOWS.values():  # flat: what a field refers to is a list of names
        assert all("enum" in kind for kind in flow.parameters.model_dump()["definitions"].values())


def test_prefect_yaml_names_flows_and_parameters_that_exist():
    config = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    assert [d["name"] for d in config["deployments"]] == [*FLOWS, "compute"]
    for deployment in config["deployments"]:
        module, _, name = deployment["entrypoint"].rpartition(".")
        flow = getattr(importlib.import_module(module), name)
        assert flow is {**FLOWS, "compute": compute}[deployment["name"]]
        assert set(deployment["parameters"]) <= set(flow.parameters.properties)
        for schedule in deployment.get("schedules", []):  # Prefect skips a deployment with another key
            assert set(schedule) <= {"cron", "timezone", "active"}


def test_served_deployments_carry_the_schedule_and_fit_their_forms(tmp_path):
    served = Served(tmp_path / "d", tmp_path / "t", "d", None, None, 3, "0 2 * * *", "Europe/Berlin")
    made = {d.name: d for d in deployments(served)}
    assert list(made) == list(FLOWS)
    (schedule,) = made["extract"].schedules
    assert (schedule.schedule.cron, schedule.schedule.timezone) == ("0 2 * * *", "Europe/Berlin")
    assert not made["reprocess"].schedules
    for name, flow in FLOWS.items():
        assert made[name].entrypoint == f"{flow.__module__}.{name}"
        assert set(made[name].parameters) <= set(flow.parameters.properties)


def test_forms_name_roots_and_what_lies_below_them(tmp_path, monkeypatch):
    inside, outside = tmp_path / "data", tmp_path / "data-else"
    inside.mkdir()
    outside.mkdir()
    monkeypatch.setenv(ROOTS, f"{inside}, out={outside / 'tables'}")
    assert allowed("data") == inside
    assert allowed("data/cohort/labels.csv") == inside / "cohort" / "labels.csv"
    assert allowed("out") == outside / "tables"
    assert optional(" ") is None
    (inside / "link").symlink_to(outside)
    for name in (str(inside), str(outside), "data/../data-else", "data/link/x", "out/..", "else", "", "..", "~"):
        with pytest.raises(ConfigError) as caught:
            allowed(name)
        assert str(tmp_path) not in caught.value.message


def test_without_roots_nothing_may_be_named(tmp_path, monkeypatch):
    monkeypatch.delenv(ROOTS, raising=False)
    for name in (str(tmp_path), "data", "/"):
        with pytest.raises(ConfigError, match=ROOTS):
            allowed(name)
    state = maintain.fn(tables=str(tmp_path))
    assert state.is_failed()
    assert "ROOT/below/it" in state.message


@pytest.mark.parametrize("text", ["relative", "a=b", "/data/x, /else/x", "o d d=/data", "=/data"])
def test_odd_roots_are_refused(text):
    with pytest.raises(ConfigError, match=ROOTS):
        parse_roots(text)


def test_roots_travel_through_the_environment():
    roots = {"dataset": Path("/data/cohort 1"), "tables": Path("/data/t")}
    assert parse_roots(root_text(roots)) == roots
    with pytest.raises(ConfigError, match="comma"):
        root_text({"dataset": Path("/data/a,b")})


def test_stages_follow_from_biomarkers_and_modalities():
    of = reprocess_module._stages
    assert of((), ()) == frozenset(Group)
    assert of((), (Family.SKIN, Family.FACE)) == {Group.PHYSIOLOGY, Group.VIDEO}
    assert of((Group.VIDEO,), (Family.SKIN, Family.FACE)) == {Group.VIDEO}
    with pytest.raises(ConfigError, match="leave one of the two empty"):
        of((Group.AUDIO,), (Family.SKIN,))


def test_every_biomarker_belongs_to_a_family():
    assert {b.modality for b in BIOMARKERS.values()} <= {str(m) for f in Family for m in f.modalities}
