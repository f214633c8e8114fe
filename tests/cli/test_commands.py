"""Commands that need no run: help, version, dictionary, models, simulate, check, and what bad usage prints."""

from __future__ import annotations

import json

import pytest

COMMANDS = (
    ["simulate"], ["check"], ["run"], ["status"], ["query"], ["report"], ["dictionary"], ["forget"],
    ["methods"], ["provenance"], ["export"], ["audit"],
    ["models"], ["models", "list"], ["models", "pull"], ["models", "verify"],
    ["maintain"], ["serve"], ["actions"], ["actions", "train"], ["actions", "evaluate"], ["actions", "detect"],
    ["fusion"], ["fusion", "train"], ["fusion", "evaluate"], ["fusion", "explain"],
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(cueflow, command):
    done = cueflow(*command, "--help")
    assert done.returncode == 0
    assert "Usage: cueflow" in done.stdout
    assert "Raises" not in done.stdout
    if command not in (["models"], ["fusion"], ["actions"]):
        assert "Example: " in done.stdout


def test_version(cueflow):
    from cueflow import __version__

    assert cueflow("--version").stdout.strip() == f"cueflow {__version__}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere", "--out", "t"], "the dataset is not a folder"),
        (["check", "nowhere"], "the dataset is not a folder"),
        (["status", "nowhere"], "cueflow run"),
        (["query", "nowhere", "SELECT 1"], "cueflow run"),
        (["simulate", "x", "--effect", "hue=1"], "--effect help"),
        (["run", "nowhere", "--out", "t", "--modalities", "smell"], "choose among video, audio, physiology"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(cueflow, arguments, message):
    done = cueflow(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_dictionary_is_printed_as_json_markdown_and_parquet(cueflow, tmp_path):
    rows = json.loads(cueflow("dictionary", "--format", "json").stdout)
    assert len(rows) >= 60
    keys = {
        "name",
        "modality",
        "unit",
        "statistic",
        "definition",
        "source",
        "range",
        "evidence",
        "method",
        "aliases",
    } | {"robustness"}
    assert all(set(row) == keys for row in rows)
    assert "hr_mean" in cueflow("dictionary").stdout
    assert cueflow("dictionary", "--format", "parquet", "--out", tmp_path / "d.parquet").returncode == 0
    assert (tmp_path / "d.parquet").read_bytes()[:4] == b"PAR1"


def test_the_dictionary_in_the_docs_is_the_registry(cueflow):
    from pathlib import Path

    written = Path(__file__).resolve().parents[2] / "docs" / "dictionary.md"
    assert written.read_text(encoding="utf-8") == cueflow("dictionary").stdout, (
        "run: cueflow dictionary --out docs/dictionary.md"
    )


def test_effects_are_listed(cueflow):
    listed = cueflow("simulate", "unused", "--effect", "help")
    assert listed.returncode == 0
    assert "blink_rate_per_min = 16.0" in listed.stdout
