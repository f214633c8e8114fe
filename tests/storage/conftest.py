"""Sessions with known rows, written through the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cueflow.schemas.tables import SCHEMA_VERSION, TABLES, arrow_schema, layout
from cueflow.storage.tables import TableStore

COUNTS = {"sessions": 1, "biomarkers": 6, "windows": 4, "events": 3, "predictions": 1, "explanations": 2}


def rows_of(
    session: str, run: str, *, subject: str = "P001", counts: dict[str, int] | None = None
) -> dict[str, pa.Table]:
    """Tables of a session; every number says which run wrote it, so that a mix would show."""
    mark = float(sum(run.encode()))
    tables = {}
    for name, n in (counts or COUNTS).items():
        rows = []
        for i in range(n):
            row = {
                "session_id": session, "subject_id": subject, "visit": "1", "run_id": run, "status": "ok",
                "phase": "session", "role": "patient", "biomarker": "hrv_rmssd", "modality": "ecg", "value": mark + i,
                "coverage": 1.0 - i / 10, "label": run, "kind": "beat", "start_s": float(i), "t_s": float(i),
                "duration_s": 60.0, "target": "y", "contribution": mark, "fingerprint": f"f-{run}",
                "cueflow_version": "0.1.0", "schema_version": SCHEMA_VERSION, "layout": layout(),
                "finished_utc": datetime(2026, 1, 1, tzinfo=UTC),
            }  # fmt: skip
            rows.append({k: v for k, v in row.items() if k in arrow_schema(name).names})
        tables[name] = pa.Table.from_pylist(rows, schema=arrow_schema(name))
    return tables


Write = Callable[..., TableStore]


def _commit(root: Path, session: str, run: str, *, dataset: str = "d", **what: Any) -> TableStore:
    store = TableStore(root, dataset)
    with store.writing(root_fingerprint="f", session_ids=[session], join=True):
        store.commit_session(session, rows_of(session, run, **what), run_id=run)
    return store


@pytest.fixture(autouse=True)
def signing_key(tmp_path, monkeypatch):
    """A key of the test's own, outside of TABLES."""
    monkeypatch.setenv("CUEFLOW_SIGNING_KEY", str(tmp_path / "keys" / "signing.pem"))


@pytest.fixture(scope="session")
def commit() -> Write:
    """commit(root, "S1", "run-a", dataset=…, subject=…, counts=…) commits one session."""
    return _commit


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write("S1", "run-a", root=…, …) commits one session, into the test's own folder unless told otherwise."""
    return lambda session, run, *, root=None, **what: _commit(root or tmp_path / "tables", session, run, **what)


@pytest.fixture
def rows() -> Callable[..., dict[str, pa.Table]]:
    """The rows that `write` writes."""
    return rows_of


@pytest.fixture(scope="session")
def rows_builder() -> Callable[..., dict[str, pa.Table]]:
    """The same, for fixtures that live longer than a test."""
    return rows_of


@pytest.fixture
def counts() -> dict[str, int]:
    """Rows per table that `write` writes."""
    assert set(COUNTS) == set(TABLES)
    return dict(COUNTS)
