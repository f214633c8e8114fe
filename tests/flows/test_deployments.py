"""What the UI gets: forms with descriptions and bounds, deployments that fit them, allowed folders."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from cueflow.flows.deployments.extract import extract
from cueflow.flows.deployments.maintain import maintain
from cueflow.flows.deployments.reprocess import reprocess
from cueflow.flows.deployments.training import train
from cueflow.flows.roots import ROOTS, allowed, optional
from cueflow.flows.serving.server import Served, deployments
from cueflow.schemas.errors import ConfigError

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
    assert not any("$ref" in field for field in extract.parameters.properties.values())  # flat


def test_prefect_yaml_names_flows_and_parameters_that_exist():
    config = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    assert [d["name"] for d in config["deployments"]] == list(FLOWS)
    for deployment in config["deployments"]:
        module, _, name = deployment["entrypoint"].rpartition(".")
        flow = getattr(importlib.import_module(module), name)
        assert flow is FLOWS[deployment["name"]]
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


def test_forms_name_only_allowed_folders(tmp_path, monkeypatch):
    inside, outside = tmp_path / "data", tmp_path / "data-else"
    inside.mkdir()
    outside.mkdir()
    monkeypatch.setenv(ROOTS, str(inside))
    assert allowed(str(inside / "cohort")) == inside / "cohort"
    assert optional("") is None
    (inside / "link").symlink_to(outside)
    for path in (outside, inside / ".." / "data-else", inside / "link" / "x"):
        with pytest.raises(ConfigError) as caught:
            allowed(str(path))
        assert str(tmp_path) not in caught.value.message
    monkeypatch.delenv(ROOTS)
    assert allowed(str(outside)) == outside
