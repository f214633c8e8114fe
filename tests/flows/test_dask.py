"""A cluster of processes computes what this machine alone would."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def run(dataset, tables, home, *options):
    """The command in a process of its own; what it drew and said."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")} | {"PREFECT_HOME": str(home)}
    command = (sys.executable, "-m", "cueflow", "run", str(dataset), "--out", str(tables), *options)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_dask_cluster_gives_the_same_tables(near, assert_same, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the dask extra is not installed")
    home = tmp_path / "prefect"
    monkeypatch.setenv("PREFECT_HOME", str(home))  # the workers of the cluster are children of this process
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        said = run(near[0], tmp_path / "far", home, "--dask", address, "--workers", "2")
    assert "4.0 of 4" in said  # the bar of physiology is full
    assert_same(tmp_path / "far", near[1])
