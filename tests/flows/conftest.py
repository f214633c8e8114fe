"""What several ways of computing are compared with: a small dataset, and its tables as one machine makes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

import cueflow
from cueflow.tasks.simulate import Effects, simulate

OWN = {"run_id", "started_utc", "finished_utc", "video_seconds", "audio_seconds", "physiology_seconds"}


@pytest.fixture(scope="session")
def near(tmp_path_factory):
    """Four sessions of 12 s of ECG and skin conductance, and the tables of a plain run."""
    folder = tmp_path_factory.mktemp("near")
    effects = replace(Effects.quick(), modalities=("ecg", "eda"))
    simulate(folder / "dataset", sessions=4, minutes=0.2, seed=2, effects=effects)
    assert cueflow.run(folder / "dataset", folder / "tables", workers=2).exit_code == 0
    return folder / "dataset", folder / "tables"


@pytest.fixture(scope="session")
def assert_same():
    """Say that two folders of tables are equal in every column but those that each run writes differently."""

    def compare(one, other):
        for name in ("sessions", "biomarkers", "windows", "events"):
            found = [
                getattr(cueflow.open_tables(tables), name).drop(OWN, strict=False).collect() for tables in (one, other)
            ]
            order = [column for column, kind in found[0].schema.items() if not kind.is_nested()]
            assert len(found[0]) > 0, name
            assert found[0].sort(order).equals(found[1].sort(order)), name

    return compare
