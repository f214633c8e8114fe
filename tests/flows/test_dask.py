"""A cluster of processes computes what this machine alone would."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

import cueflow
from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects

pytestmark = pytest.mark.slow

OWN = {"run_id", "started_utc", "finished_utc", "video_seconds", "audio_seconds", "physiology_seconds"}


def run(dataset, tables, home, *options):
    """The command in a process of its own; what it drew and said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")} | {"PREFECT_HOME": str(home)}
    command = (sys.executable, "-m", "cueflow", "run", str(dataset), "--out", str(tables), *options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_dask_cluster_gives_the_same_tables(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the dask extra is not installed")
    dataset, home = tmp_path / "d", tmp_path / "prefect"
    simulate(dataset, sessions=3, minutes=0.2, seed=2, effects=replace(Effects.quick(), modalities=("ecg", "eda")))
    monkeypatch.setenv("PREFECT_HOME", str(home))  # the workers of the cluster are children of this process
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        said = run(dataset, tmp_path / "far", home, "--dask", address, "--workers", "2")
    assert "3.0 of 3" in said  # the bar of physiology is full
    run(dataset, tmp_path / "near", home)
    far, near = (cueflow.open_tables(tmp_path / name) for name in ("far", "near"))
    for name in ("sessions", "biomarkers", "windows", "events"):
        one, other = (getattr(tables, name).drop(OWN, strict=False).collect() for tables in (far, near))
        assert len(one) == len(other) > 0
        rows = [column for column, kind in one.schema.items() if not kind.is_nested()]
        assert one.sort(rows).equals(other.sort(rows)), name
