"""The registry and the rooms: declarations are whole, and nobody imports what it may not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cueflow.schemas.biomarkers import BIOMARKERS, SERIES, Biomarker, Evidence, named_elsewhere, of_modality
from cueflow.schemas.biomarkers.voice_robustness import CONDITIONS, robustness_of
from cueflow.schemas.reasons import SENTENCES, Reason, Status
from cueflow.schemas.results import Window
from cueflow.schemas.session import Modality

ROOT = Path(__file__).resolve().parents[2]
KNOWS = {
    "schemas": {"schemas"},
    "tasks": {"schemas", "tasks"},
    "storage": {"schemas", "storage"},
    "flows": {"schemas", "tasks", "storage", "flows"},
}


def test_there_are_enough_and_all_three_stages_have_some():
    assert len(BIOMARKERS) >= 60
    assert {Modality(b.modality).group for b in BIOMARKERS.values()} == {"video", "audio", "physiology"}


def test_what_other_tools_call_a_measure_leads_to_it():
    assert named_elsewhere("cpps") == ("voice_cpps",)
    assert named_elsewhere("f0_hz_p50") == ("voice_f0_p50",)
    assert named_elsewhere("voice_f0_p50") == named_elsewhere("none such") == ()


def test_every_measure_of_the_voice_says_what_worse_recordings_do_to_it():
    assert not [b.name for b in of_modality("audio") if not b.robustness]
    jitter = BIOMARKERS["voice_jitter_local"].robustness
    assert jitter.startswith("median (largest) change, relative: ")
    assert [jitter.count(what) for what in CONDITIONS.values()] == [1, 1, 1, 1]
    assert robustness_of("none such", "1") == ""


def test_every_reason_has_a_sentence():
    assert set(SENTENCES) == set(Reason)
    assert all(s.endswith(".") for s in SENTENCES.values())


def test_sources_that_are_our_own_pages_exist():
    pages = {
        b.source.removeprefix("cueflow:").partition("#")[0]
        for b in BIOMARKERS.values()
        if b.source.startswith("cueflow:")
    }
    missing = [page for page in pages if not (ROOT / page).is_file() and not (ROOT / "docs" / page).is_file()]
    assert not missing


def test_series_belong_to_a_modality():
    assert {s.modality for s in SERIES.values()} <= set(Modality)


def declared(**change) -> Biomarker:
    made = {
        "name": "test_mean", "modality": "ecg", "unit": "ms", "statistic": "mean", "source": "doi:10.1000/1",
        "definition": "Mean of the test over the window.", "method": "test",
        "evidence": Evidence(n_min=10, unit="beats", coverage_min=0.8), "plausible": (0.0, 100.0),
    }  # fmt: skip
    return Biomarker(**made | change)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "Test"}, "name"),
        ({"unit": "furlong"}, "unit"),
        ({"definition": "Mean."}, "definition"),
        ({"source": "a book"}, "source"),
        ({"plausible": (1.0, 1.0)}, "range"),
        ({"evidence": Evidence(n_min=-1, unit="beats")}, "evidence"),
    ],
)
def test_a_declaration_that_says_too_little_is_refused(change, what):
    with pytest.raises(ValueError, match=f"bad {what}"):
        declared(**change)


@pytest.mark.parametrize(
    ("value", "n", "coverage", "given", "status", "reason", "kept"),
    [
        (50.0, 10, 0.8, None, Status.OK, None, 50.0),
        (50.0, 9, 1.0, None, Status.TOO_SHORT, Reason.FEW_EVIDENCE, None),
        (50.0, 9, 1.0, Reason.NO_FACE, Status.TOO_SHORT, Reason.NO_FACE, None),
        (50.0, 10, 0.79, None, Status.LOW_QUALITY, Reason.LOW_COVERAGE, None),
        (float("nan"), 10, 1.0, None, Status.LOW_QUALITY, Reason.NOT_COMPUTABLE, None),
        (None, 10, 1.0, None, Status.LOW_QUALITY, Reason.NOT_COMPUTABLE, None),
        (101.0, 10, 1.0, None, Status.LOW_QUALITY, Reason.IMPLAUSIBLE, 101.0),
        (50.0, 10, 1.0, Reason.CLIPPED, Status.LOW_QUALITY, Reason.CLIPPED, 50.0),
    ],
)
def test_the_evidence_rule(value, n, coverage, given, status, reason, kept):
    measure = declared().measure(value, Window(0, 1), n_evidence=n, coverage=coverage, reason=given)
    assert (measure.status, measure.reason, measure.value) == (status, reason, kept)


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("room", KNOWS)
def test_a_room_imports_only_what_it_may_know(room):
    for path in (ROOT / room).rglob("*.py"):
        for name in imports(path):
            if name.startswith("cueflow."):
                assert name.split(".")[1] in KNOWS[room], f"{path.relative_to(ROOT)} imports {name}"
            if room != "flows":
                assert name.split(".")[0] != "prefect", path.relative_to(ROOT)


def test_nothing_is_pickled_or_evaluated():
    for room in (*KNOWS, "cli"):
        for path in (ROOT / room).rglob("*.py"):
            assert not imports(path) & {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}, path


def test_the_package_lists_every_folder_of_code():
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {
        "cueflow." + p.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for room in (*KNOWS, "cli")
        for p in (ROOT / room).rglob("__init__.py")
    }
    assert set(listed) == there | {"cueflow"}
