"""The cache of stage results."""

from __future__ import annotations

import errno
import math
import tracemalloc

import numpy as np
import pytest

from cueflow.schemas.errors import DiskFullError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, Findings, Measure, Series, StreamResult, Window
from cueflow.storage.caches.stage_cache import cache_path, read_results, write_results


@pytest.fixture
def results():
    window = Window(0.0, 9.5, "rest")
    findings = Findings(
        start_s=0.0,
        end_s=9.5,
        coverage=0.9,
        quality=None,
        status=Status.LOW_QUALITY,
        reason=Reason.CLIPPED,
        measures=(
            Measure("hr_mean", window, 61.25, Status.OK, None, 12.0, 0.9, 0.8),
            Measure("hr_sd", window, None, Status.TOO_SHORT, Reason.FEW_EVIDENCE, 1.0, 0.9),
        ),
        events=(Event("beat", "normal", 0.5, 0.5, 0.99, {"lead": "II", "ms": 12.5}),),
        series=(Series("heart_rate", np.array([0.0, 1.0]), np.array([61.0, math.nan])),),
    )
    broken = StreamResult("video", "patient", "", Status.FAILED, Reason.FILE_EMPTY, "empty", None, "1", "", "", 0.0)
    return (StreamResult("ecg", "patient", "II", Status.OK, None, "", findings, "1", "ab", "cd", 0.2), broken)


def test_what_is_read_is_what_was_written(tmp_path, results):
    path = cache_path(tmp_path, "d", "S1", group="physiology", key="k" * 64)
    write_results(path, results)
    back = read_results(path)
    assert back[1] == results[1]
    assert back[0].findings.measures == results[0].findings.measures
    assert back[0].findings.events == results[0].findings.events
    np.testing.assert_array_equal(back[0].findings.series[0].values, [61.0, math.nan])


def test_a_cut_or_altered_entry_is_not_trusted(tmp_path, results):
    path = cache_path(tmp_path, "d", "S1", group="physiology", key="k" * 64)
    write_results(path, results)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:80], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        assert read_results(path) is None


def test_a_new_entry_replaces_the_older_one_of_its_stage_only(tmp_path, results):
    old, new, other = (
        cache_path(tmp_path, "d", "S1", group=group, key=key)
        for group, key in (("audio", "a" * 64), ("audio", "b" * 64), ("video", "c" * 64))
    )
    for path in (old, other, new):
        write_results(path, results)
    assert not old.exists()
    assert read_results(new) is not None
    assert read_results(other) is not None


def test_a_full_disk_leaves_the_older_entry(tmp_path, results, monkeypatch):
    path = cache_path(tmp_path, "d", "S1", group="audio", key="a" * 64)
    write_results(path, results)

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(DiskFullError, match="free some space"):
        write_results(cache_path(tmp_path, "d", "S1", group="audio", key="b" * 64), results)
    monkeypatch.undo()
    assert read_results(path) is not None
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def day(n):
    """A stream of so many beats."""
    beats = tuple(Event("beat", "normal", k * 0.8, k * 0.8, 0.9, {"nn_ms": 800.0 + k % 7}) for k in range(n))
    found = Findings(0.0, n * 0.8, 1.0, None, Status.OK, None, (), beats, ())
    return (StreamResult("ecg", "patient", "II", Status.OK, None, "", found, "1", "ab", "cd", 0.2),)


def test_beats_are_held_once_while_they_are_written_and_read(tmp_path):
    path, results = cache_path(tmp_path, "d", "S1", group="physiology", key="k" * 64), day(30_000)
    tracemalloc.start()
    try:
        write_results(path, results)
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        back = read_results(path)
        after, most = (size - before for size in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
    assert back[0].findings.events == results[0].findings.events
    assert written < 2e6
    assert most < 1.6 * after
