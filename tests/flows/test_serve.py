"""`cueflow serve` as a user starts it: a real server, its schedule, runs asked for over its API, and Ctrl-C."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from cueflow import open_tables
from cueflow.flows.serving.metrics import metrics_text
from cueflow.tasks.simulate import Effects, simulate

NODE = Path(__file__).parent / "node"
pytestmark = pytest.mark.slow


class Api:
    """The few calls that a browser makes."""

    def __init__(self, port, line):
        self.url = f"http://127.0.0.1:{port}/api"
        self.head = {"content-type": "application/json"}
        self.head["authorization"] = f"Basic {base64.b64encode(line.encode()).decode()}"

    def __call__(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(f"{self.url}{path}", data=data, headers=self.head)  # noqa: S310 - our own server
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(call, timeout=30) as answer:  # noqa: S310 - our own server
                    return json.load(answer)
            except urllib.error.HTTPError as error:  # a busy database: come again, as Prefect's own clients do
                if error.code != 503 or time.monotonic() > deadline:
                    raise
                error.close()
            time.sleep(1)

    def start(self, name, **parameters):
        made = self(f"/deployments/name/{name}/{name}")
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return self(f"/deployments/{made['id']}/create_flow_run", body)["id"]

    def ended(self, run, limit_s=60):
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            state = self(f"/flow_runs/{run}")["state"]
            if state["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
                return state
            time.sleep(0.3)
        pytest.fail("the run did not end")

    def artifact(self, run, key):
        (found,) = self("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run]}, "key": {"any_": [key]}}})
        return found


def port_of(api):
    return int(api.url.split(":")[2].split("/")[0])


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One session of 15 s of ECG, served with a schedule."""
    home = tmp_path_factory.mktemp("serve")
    simulate(home / "cohort", sessions=1, minutes=0.25, seed=5, effects=replace(Effects.plain(), modalities=("ecg",)))
    with socket.socket() as probe, socket.socket() as other:
        for free in (probe, other):
            free.bind(("127.0.0.1", 0))
        port, pages_port = probe.getsockname()[1], other.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "CUEFLOW_ROOTS"))}
    environment |= {"PREFECT_HOME": str(home / "prefect"), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "cueflow", "serve", str(home / "cohort"), "--out", str(home / "tables")]
    command += ["--pages", str(home / "pages"), "--pages-port", str(pages_port), "--json-logs"]
    log = home / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--cron", "0 2 * * *", "--port", str(port)], env=environment, stdout=out, stderr=out
        )
    try:
        deadline = time.monotonic() + 200
        while "Ctrl-C stops" not in log.read_text() and time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        secret = home / "prefect" / "cueflow-password"
        assert secret.stat().st_mode & 0o777 == 0o600
        api = Api(port, secret.read_text().strip())
        while len(api("/deployments/filter", {})) < 4 and time.monotonic() < deadline:
            time.sleep(0.2)
        yield process, api, home, log
    finally:
        process.send_signal(signal.SIGINT)  # it ends its server, too
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_an_analyst_in_a_browser(served, tmp_path):
    """Signs in, finds the deployment, fills in the form, runs it, and reads which sessions changed and why."""
    _, api, home, _ = served
    script, chromium = NODE / "analyst.mjs", shutil.which("chromium")
    if chromium is None or not (NODE / "node_modules" / "playwright-core").is_dir():
        assert not os.environ.get("CI"), "CI must install Chromium and the packages of tests/flows/node"
        pytest.skip("needs Chromium and `npm ci --prefix tests/flows/node`")
    secret = (home / "prefect" / "cueflow-password").read_text()
    command = ["node", str(script), api.url.removesuffix("/api"), str(tmp_path), chromium]
    done = subprocess.run(command, input=secret, capture_output=True, text=True, timeout=560, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    # The form: fields in our order, each with its help.
    order = [
        "sessions",
        "subject",
        "visit",
        "states",
        "processed_since",
        "biomarkers",
        "modalities",
        "force",
        "dry_run",
    ]
    lines = [line.removesuffix(" (Optional)") for line in said["form"].splitlines()]
    assert [line for line in lines if line in order] == order
    assert "Session ids or patterns such as S0*, separated by commas or lines; * means all." in lines
    # What the run left: a bar, and a table of sessions with status and reason.
    assert "1 of 1 sessions" in said["artifacts"]
    for word in ("s001", "ok", "not in the tables yet", "physiology"):
        assert word in said["sessions"]


def test_a_worker_that_cannot_work_says_why(served):
    _, api, home, _ = served
    password = (home / "prefect" / "cueflow-password").read_text().strip()
    command = [sys.executable, "-m", "cueflow", "worker", "cueflw"]
    for settings, words in (
        ({"PREFECT_API_AUTH_STRING": password}, "no work pool 'cueflw'; it has"),
        ({"PREFECT_API_AUTH_STRING": "cueflow:guess"}, "PREFECT_API_AUTH_STRING"),
    ):
        environment = os.environ | {"PREFECT_API_URL": api.url, "PREFECT_HOME": str(home / "other")} | settings
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 2
        assert words in " ".join(done.stderr.split())
        assert password not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr


def test_schedule_forms_runs_and_the_end(served):
    process, api, home, log = served
    assert f"{api.url.removesuffix('/api')}/deployments" in log.read_text()
    # Without the password nothing is answered; with it the records name no folder of this machine.
    stranger = Api(port_of(api), "cueflow:guess")
    for call in (lambda: stranger("/deployments/filter", {}), lambda: stranger.start("extract")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            call()
        refused.value.close()
        assert refused.value.code in {401, 403}
    assert str(home) not in json.dumps(api("/deployments/filter", {}))
    assert (home / "prefect" / "cueflow-password").read_text().strip() not in log.read_text()
    # The schedule: runs stand in the server's plan.
    extract = api("/deployments/name/extract/extract")
    wanted = {
        "deployments": {"id": {"any_": [extract["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    deadline = time.monotonic() + 60
    while not (planned := api("/flow_runs/filter", wanted)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert planned
    assert all("T02:00:00" in run["expected_start_time"] for run in planned)
    # Bounds are checked before anything runs.
    with pytest.raises(urllib.error.HTTPError) as refused:
        api.start("reprocess", sessions="*", workers=999)
    assert refused.value.code == 409
    assert "greater than the maximum of 256" in refused.value.read().decode()
    refused.value.close()
    run = api.start("reprocess", sessions="*", dataset=str(home))
    assert api.ended(run)["type"] == "FAILED"
    assert "ROOT/below/it" in api(f"/flow_runs/{run}")["state"]["message"]
    # A run that was asked for writes the tables, and says what it did.
    run = api.start("extract", force=True)
    assert api.ended(run)["type"] == "COMPLETED"
    sessions = open_tables(home / "tables").sessions.collect()
    assert sessions["status"].to_list() == ["ok"]
    (row,) = json.loads(api.artifact(run, "sessions")["data"])
    assert (row["session"], row["status"]) == ("s001", "ok")
    assert row["ran because"] in {"asked for", "not in the tables yet"}  # the analyst's run may have come before
    assert sessions["subject_id"][0] not in json.dumps(row)
    assert api.artifact(run, "progress")["data"] == 100.0
    link = re.search(r"\[s001\]\((http://127.0.0.1:\d+/s001.html)\)", api.artifact(run, "report")["data"]).group(1)
    with urllib.request.urlopen(urllib.request.Request(link, headers=api.head)) as page:  # noqa: S310 - our own server
        assert "s001" in page.read().decode()
    said = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    assert {"Completed", "extract"} <= {word for line in said for word in re.findall(r"\w+", line["message"])}
    # A dry run lists and writes nothing.
    before = {p: p.stat().st_mtime_ns for p in (home / "tables").rglob("*.parquet")}
    run = api.start("reprocess", sessions="s0*", force=True, dry_run=True)
    assert api.ended(run)["type"] == "COMPLETED"
    (row,) = json.loads(api.artifact(run, "plan")["data"])
    assert (row["session"], row["would run"], row["stages"], row["because"]) == (
        "s001",
        True,
        "physiology",
        "asked for",
    )
    assert {p: p.stat().st_mtime_ns for p in (home / "tables").rglob("*.parquet")} == before
    run = api.start("maintain")
    assert api.ended(run)["type"] == "COMPLETED"
    assert api.artifact(run, "maintenance")["data"].startswith("Moved 1 sessions")
    # Runs of dead workers will be marked, under one name however often the server starts.
    names = ["cueflow: runs of dead workers", "cueflow: runs that never start"]
    assert sorted(a["name"] for a in api("/automations/filter", {})) == names
    text = metrics_text(home / "tables")
    assert 'cueflow_sessions{status="ok"} 1.0' in text
    assert 'cueflow_stages_total{source="computed",stage="physiology"}' in text
    # Ctrl-C ends everything.
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    with pytest.raises(urllib.error.URLError):
        api("/health")
    # What the server did counts for a plain run, too, which then has nothing to start Prefect for.
    code = "import sys, cueflow; s = cueflow.run(sys.argv[1], sys.argv[2]); print(s.line, 'prefect' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(home / "cohort"), str(home / "tables")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "nothing to do, 1 unchanged False"
