"""What is found out before Prefect is started: nothing to do, and an output folder of somebody else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects

CODE = """
import sys, cueflow
from cueflow.schemas.errors import ForeignOutputError
try:
    cueflow.run(sys.argv[1], sys.argv[2], modalities=["audio"])
except ForeignOutputError as error:
    print(error.message, "prefect" in sys.modules)
"""


@pytest.fixture
def dataset(tmp_path):
    simulate(tmp_path / "d", sessions=1, minutes=0.1, effects=replace(Effects.quick(), modalities=("ecg",)))
    return tmp_path / "d"


def test_a_foreign_folder_is_refused_at_once_and_left_alone(dataset, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.docx").write_bytes(b"mine")
    command = (sys.executable, "-c", CODE, str(dataset), str(out))
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip().endswith("choose an empty or a new folder. False")
    assert [path.name for path in out.iterdir()] == ["thesis.docx"]
