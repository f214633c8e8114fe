"""One clock for all stages."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Findings, Series, StreamResult
from cueflow.schemas.session import Group, Modality, Role, Stream
from cueflow.tasks.align import align


def result(modality: str, start: float, end: float, *, coverage=1.0, series=(), found=True, role="patient"):
    findings = Findings(start, end, coverage, None, Status.OK, None, (), (), tuple(series)) if found else None
    status, reason = (Status.OK, None) if found else (Status.FAILED, Reason.FILE_UNREADABLE)
    return StreamResult(modality, role, "", status, reason, "", findings, "1", "", "", 0.1)


def test_the_session_reaches_from_the_first_to_the_last_sample():
    aligned = align([result("video", 0.0, 60.0), result("ecg", -5.0, 55.0)], ())
    assert (aligned.start_s, aligned.end_s, aligned.duration_s) == (-5.0, 60.0, 65.0)


def test_coverage_is_a_share_of_the_session_not_of_the_stream():
    aligned = align([result("video", 0.0, 100.0), result("audio", 0.0, 50.0, coverage=0.5)], ())
    assert aligned.coverage[Group.AUDIO] == pytest.approx(0.25)
    assert aligned.coverage[Group.PHYSIOLOGY] == 0.0


def test_series_land_on_one_grid_with_gaps_where_a_stream_has_none():
    hr = Series("heart_rate", np.array([2.0, 3.0]), np.array([70.0, 72.0]))
    seconds, columns = align([result("video", 0.0, 5.0), result("ecg", 2.0, 4.0, series=[hr])], ()).grid["patient"]
    assert seconds.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    np.testing.assert_array_equal(columns["heart_rate"], [np.nan, np.nan, 70.0, 72.0, np.nan])


def test_roles_do_not_share_a_grid():
    aligned = align([result("audio", 0, 3), result("audio", 0, 3, role="clinician")], ())
    assert set(aligned.grid) == {"patient", "clinician"}


def test_a_stream_without_findings_takes_no_part():
    aligned = align([result("video", 0, 0, found=False)], ())
    assert aligned.duration_s == 0.0
    assert aligned.grid == {}


def test_an_unknown_start_is_said():
    streams = (Stream(Modality.ECG, "a.csv", start_s=1.5), Stream(Modality.VIDEO, "a.mp4", role=Role.ROOM))
    declared, assumed = align((), streams).sync
    assert (declared.offset_s, declared.source) == (1.5, "declared")
    assert (assumed.offset_s, assumed.source, assumed.uncertainty_s) == (0.0, "unsynchronised", None)
