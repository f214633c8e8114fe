"""Folders that a form may name; without CUEFLOW_ROOTS in the environment, any."""

from __future__ import annotations

import os
from pathlib import Path

from cueflow.schemas.errors import ConfigError

ROOTS = "CUEFLOW_ROOTS"


def allowed(path: str) -> Path:
    """A path that a form names, if it may be used.

    Parameters
    ----------
    path : str
        From the form.

    Returns
    -------
    Path
        Absolute.

    Raises
    ------
    ConfigError
        If the environment variable CUEFLOW_ROOTS names folders and the path is in none of them.
    """
    found = Path(path).resolve()
    roots = [Path(root).resolve() for root in os.environ.get(ROOTS, "").split(os.pathsep) if root]
    if roots and not any(found.is_relative_to(root) for root in roots):
        raise ConfigError(f"A path lies outside the folders that may be used here; whoever runs this sets {ROOTS}.")
    return found


def optional(path: str) -> Path | None:
    """`allowed`, where an empty field means none."""
    return allowed(path) if path else None
