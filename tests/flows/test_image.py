"""The steps that build the image, run as a script: no container engine is needed for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEPS = ROOT / "deploy" / "build.sh"


def test_the_dockerfile_runs_these_steps_and_no_others():
    runs = re.findall(r"^RUN (.+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    said = [step for run in runs for step in run.split(" && ")]
    assert said == [
        "deploy/build.sh packages-$ACCELERATOR",
        "deploy/build.sh program",
        "/build.sh system",
        "rm /build.sh",
        "useradd --uid 10001 --create-home cueflow",
    ]
    assert subprocess.run([STEPS, "other"], capture_output=True, check=False).returncode == 2


@pytest.mark.slow
def test_the_program_is_built_and_starts(tmp_path):
    """Into an environment of its own, which takes the packages from this one: fetching them all takes minutes."""
    source, where = tmp_path / "app", tmp_path / "venv"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(b"\0")
    for name in filter(None, map(os.fsdecode, listed)):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    venv.create(where)  # pip and setuptools are among them
    packages = where / "lib" / Path(sysconfig.get_path("purelib")).parent.name / "site-packages" / "here.pth"
    packages.write_text(sysconfig.get_path("purelib"))
    environment = os.environ | {"VENV": str(where)}
    done = subprocess.run([STEPS, "program"], cwd=source, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (where / "lib" / packages.parent.parent.name / "site-packages" / "cueflow" / "cli" / "main.py").is_file()
    entry = [where / "bin" / "python", ROOT / "deploy" / "with-secrets.py", where / "bin" / "cueflow", "--help"]
    assert "serve" in subprocess.run(entry, cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def test_the_libraries_of_the_system_are_known_to_debian(tmp_path):
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not here")
    simulated = tmp_path / "apt-get"
    simulated.write_text('#!/bin/sh\n[ "$1" = update ] || exec apt-get --simulate "$@"\n')
    simulated.chmod(0o755)
    environment = os.environ | {"APT_GET": str(simulated), "LISTS": str(tmp_path / "lists")}
    done = subprocess.run([STEPS, "system"], env=environment, capture_output=True, text=True, check=False)
    if "Unable to locate package" in done.stderr:
        pytest.skip("apt-get update was never run here")
    assert done.returncode == 0, done.stderr
