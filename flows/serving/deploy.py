"""Deployments of prefect.yaml, their work pools and the automations, put on a server that runs already."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from cueflow.flows.serving.automations import Notify, automate
from cueflow.schemas.errors import ConfigError


def deploy_all(file: Path, *, notify: Notify | None) -> tuple[str, ...]:
    """Create or renew everything that the file names; can be repeated.

    Parameters
    ----------
    file : Path
        `prefect.yaml`.
    notify : Notify or None
        Who is told of failures.

    Returns
    -------
    tuple of str
        Names of the deployments.

    Raises
    ------
    ConfigError
        If the file cannot be read, no server is named, or Prefect refuses.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigError("Say where the server is: PREFECT_API_URL=http://127.0.0.1:4200/api")
    try:
        deployments = yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]
        pools = sorted({d["work_pool"]["name"] for d in deployments})
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{file.name} is not there, or names no deployments with work pools.") from error
    asyncio.run(_make_pools(pools))
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    names = tuple(str(d["name"]) for d in deployments)
    missing = [name for name in names if f"/{name}'" not in done.stdout]  # it skips a bad one and ends well
    if done.returncode or missing:
        raise ConfigError(f"Prefect did not deploy {', '.join(missing) or 'all'}: {_last(done.stderr or done.stdout)}")
    automate(notify)
    return names


async def _make_pools(names: Sequence[str]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    async with get_client() as client:
        known = {pool.name for pool in await client.read_work_pools()}
        for name in names:
            if name not in known:
                await client.create_work_pool(WorkPoolCreate(name=name, type="process"))


def _last(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it says nothing")
