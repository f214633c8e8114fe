"""The dictionary says what the registry says, in three forms."""

from __future__ import annotations

import json

import pytest

from cueflow.schemas import dictionary
from cueflow.schemas.biomarkers.base import Biomarker, Evidence, SeriesSpec

RMSSD = Biomarker(
    name="hrv_rmssd",
    modality="ecg",
    unit="ms",
    statistic="rmssd",
    definition="Root mean square of successive differences of normal-to-normal intervals.",
    source="doi:10.1161/01.CIR.93.5.1043",
    method="intervals",
    evidence=Evidence(n_min=30, unit="beats", coverage_min=0.8),
    plausible=(1.0, 300.0),
    aliases=("HRV_RMSSD",),
)
STILL = Biomarker(
    name="motion_still_share",
    modality="video",
    unit="1",
    statistic="share",
    definition="Share of the observed seconds without motion of the body.",
    source="cueflow:motion",
    method="flow",
    evidence=Evidence(n_min=10, unit="s"),
    plausible=(0.0, float("inf")),
)
KEYS = [
    "name", "modality", "unit", "statistic", "definition", "source", "range", "evidence", "method", "aliases",
    "robustness",
]  # fmt: skip


@pytest.fixture
def registry(monkeypatch):
    rows = {b.name: b for b in (RMSSD, STILL)}
    monkeypatch.setattr(dictionary, "BIOMARKERS", rows)
    monkeypatch.setattr(dictionary, "SERIES", {"hr": SeriesSpec("hr", "ecg", "1/min", "Heart rate in the second.")})
    monkeypatch.setattr(dictionary, "of_modality", lambda m: tuple(b for b in rows.values() if b.modality == m))
    monkeypatch.setattr(dictionary, "relations_of", lambda m: ())


@pytest.mark.usefixtures("registry")
def test_json_holds_every_field_and_is_strict_json():
    entries = json.loads(json.dumps(dictionary.dictionary_json(), allow_nan=False))
    assert [list(entry) for entry in entries] == [KEYS, KEYS]
    assert entries[0]["range"] == [1.0, 300.0]
    assert entries[0]["evidence"] == {"n_min": 30.0, "unit": "beats", "coverage_min": 0.8}
    assert entries[0]["aliases"] == ["HRV_RMSSD"]
    assert entries[1]["range"] == [0.0, None]


@pytest.mark.usefixtures("registry")
def test_the_table_equals_the_json():
    assert dictionary.dictionary_table().to_pylist() == dictionary.dictionary_json()


@pytest.mark.usefixtures("registry")
def test_markdown_groups_by_modality_in_the_order_of_the_manifest():
    text = dictionary.dictionary_markdown()
    assert text.index("## video (1 ") < text.index("`motion_still_share`") < text.index("## ecg (1 ")
    assert "[doi:10.1161/01.CIR.93.5.1043](https://doi.org/10.1161/01.CIR.93.5.1043)" in text
    assert "at least 30 beats, over at least 80 % of the window" in text
    assert "| `hr` | ecg | 1/min | Heart rate in the second. |" in text


def test_the_real_registry_is_in_it_once_each():
    from cueflow.schemas.biomarkers import BIOMARKERS

    assert [entry["name"] for entry in dictionary.dictionary_json()] == list(BIOMARKERS)
    text = dictionary.dictionary_markdown()
    assert all(text.count(f"### `{name}`\n") == 1 for name in BIOMARKERS)
    assert dictionary.dictionary_table().num_rows == len(BIOMARKERS)


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("doi:10.1/x", "https://doi.org/10.1/x"),
        ("arxiv:2411.02065", "https://arxiv.org/abs/2411.02065"),
        ("https://example.org/a", "https://example.org/a"),
        ("isbn:978-0", None),
        ("cueflow:motion", None),
    ],
)
def test_sources_become_addresses(source, url):
    assert dictionary.source_url(source) == url
