"""Fixtures that every room uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings, beside the checkout or named by CUEFLOW_TEST_DATA."""
    path = Path(os.environ.get("CUEFLOW_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (path / "manifest.csv").is_file():
        pytest.skip("the real recordings are not here (CUEFLOW_TEST_DATA names their folder)")
    return path
