"""The whole way with the tables in a bucket of a real S3-compatible server, from two machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cueflow.tasks.simulate import Effects, simulate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bucket(environment, tmp_path_factory):
    """An empty bucket, and the variables with which commands reach it."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    address, key = f"http://{host}:{port}", "testing"
    s3fs.S3FileSystem(key=key, secret=key, endpoint_url=address, skip_instance_cache=True).mkdir("study")
    reach = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": key, "AWS_ENDPOINT_URL": address}
    environment.update(reach | {"AWS_DEFAULT_REGION": "us-east-1"})  # the commands of this module inherit it
    yield "s3://study/tables"
    for name in (*reach, "AWS_DEFAULT_REGION", "CUEFLOW_CACHE_DIR"):
        environment.pop(name, None)
    started.stop()


def test_run_query_and_forget_in_a_bucket(cueflow, environment, bucket, tmp_path):
    cohort = tmp_path / "cohort"
    effects = replace(Effects.plain(), modalities=("audio", "ecg"))
    simulate(cohort, sessions=2, minutes=0.25, seed=3, effects=effects)
    manifest = cohort / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("s002,p001,", "s002,p0023,"))
    environment["CUEFLOW_CACHE_DIR"] = str(tmp_path / "here")
    done = cueflow("run", cohort, "--out", bucket)
    assert done.returncode in {0, 3}, done.stderr  # 15 s are too short for some measures
    environment["CUEFLOW_CACHE_DIR"] = str(tmp_path / "elsewhere")
    again = cueflow("run", cohort, "--out", bucket)
    assert again.returncode == done.returncode, again.stderr
    assert "2 unchanged" in again.stdout or "nothing to do" in again.stdout.lower(), again.stdout
    asked = "SELECT DISTINCT subject_id FROM sessions ORDER BY ALL"
    environment["CUEFLOW_CACHE_DIR"] = str(tmp_path / "third")
    found = cueflow("query", bucket, asked, "--format", "csv")
    assert found.stdout.split() == ["subject_id", "p001", "p0023"], found.stderr
    done = cueflow("forget", bucket, "--subject", "p0023", "--yes")
    assert done.returncode == 0, done.stderr
    environment["CUEFLOW_CACHE_DIR"] = str(tmp_path / "here")
    assert cueflow("query", bucket, asked, "--format", "csv").stdout.split() == ["subject_id", "p001"]
