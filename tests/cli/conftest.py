"""The real entry point, in a process of its own, with a Prefect home that the tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """Environment of the commands: nothing of this machine's Prefect or terminal."""
    home = tmp_path_factory.mktemp("prefect")
    made = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    sources = os.environ.get("CUEFLOW_MODEL_SOURCES", str(ROOT.parent / "shared" / "models"))
    return (
        made
        | {"PREFECT_HOME": str(home), "CUEFLOW_MODEL_SOURCES": sources, "COLUMNS": "200", "NO_COLOR": "1"}
        | {"CUEFLOW_SIGNING_KEY": str(home / "signing.pem")}
    )


@pytest.fixture(scope="session")
def cueflow(environment):
    """Run a command; `cueflow("check", path)` gives the finished process."""

    def command(*arguments, timeout=300):
        return subprocess.run(
            [sys.executable, "-m", "cueflow", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
        )

    return command
