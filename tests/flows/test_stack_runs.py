"""The stack of docker-compose.yml as processes from the same settings, with two machines that share the computing."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
WORKERS = ("compute", "compute-2")


@pytest.fixture(scope="module")
def processes():
    """deploy/processes.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("processes", ROOT / "deploy" / "processes.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["processes"] = module
    spec.loader.exec_module(module)
    return module


def test_two_machines_over_a_store_give_the_tables_of_one(processes, near, assert_same, tmp_path):
    if lacking := processes.missing():
        pytest.skip(lacking)
    dataset, tables = near[0], tmp_path / "tables"
    settings = {"CUEFLOW_SHARE_S": "0.01"}
    with processes.Stack(tmp_path / "stack", dataset=dataset, tables=tables, settings=settings) as stack:
        stack.start("compute-2", service="compute")
        run = stack.start_run("extract", shards=2)
        deadline = time.monotonic() + 200
        while (state := stack.state(run)) not in {"Completed", "Failed", "Crashed"} and time.monotonic() < deadline:
            time.sleep(0.3)
        assert state == "Completed"
        # Each machine has computed, into a folder of its own; the list of its sessions came through the store.
        found = stack.ask("/flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": ["Completed"]}}}})
        shares = [other for other in found if "manifest" in other["parameters"]]
        assert len({share["parameters"]["manifest"] for share in shares}) == 2
        assert all(share["idempotency_key"] for share in shares)
        scratch = [stack.folder / f"scratch-{name}" for name in WORKERS]
        computed = [{path.name for path in folder.rglob("*") if path.parent.name != "shards"} for folder in scratch]
        assert all(folder.is_dir() for folder in scratch)
        assert computed[0]
        assert computed[1]
        # The server was told of every task: four sessions' tables, and their stages at each machine.
        while stack.ask("/task_runs/count", {}) < 8 and time.monotonic() < deadline:
            time.sleep(0.3)
        assert stack.ask("/task_runs/count", {}) >= 8
        # No word of this machine's folders, and no secret, in what the server keeps.
        kept = json.dumps(found)
        assert str(tmp_path) not in kept
        assert str(dataset) not in kept
        assert stack.secret("store_secret") not in kept
        with pytest.raises(urllib.error.HTTPError) as refused, urllib.request.urlopen(f"{stack.api}/admin/version"):  # noqa: S310
            pass
        assert refused.value.code == 401
        refused.value.close()
        with urllib.request.urlopen(stack.metrics) as answer:  # noqa: S310 - our own
            assert 'cueflow_sessions{status="ok"} 4.0' in answer.read().decode()
        assert "cueflow: runs of dead workers" in {a["name"] for a in stack.ask("/automations/filter", {})}
    assert_same(tables, near[1])
