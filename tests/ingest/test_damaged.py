"""Damaged recordings through a whole run: each ends in a status with a reason, or in a value that is right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

OK = {
    "nothing is wrong": (),
    "flat for two of five minutes": (),
    "a fifth NaN": (),
    "every stamp twice": (),
    "ten stamps twice": (),
    "stamps forward by 30 s": (),
    "saturated at .2 mV": ("clipped",),
    "the same, of which one is empty": (),
    "clock two hours off (local time)": ("local_time",),
    "WFDB header says 1000 Hz": (),
}
DEGRADED = {
    "flat line": "flat_signal",
    "lead inverted": "lead_inverted",
    "leads II and aVR exchanged": "lead_inverted",
    "a pulse called ecg": "wrong_signal",
    "an ECG called ppg": "wrong_signal",
    "two files for one signal": "duplicate_stream",
    "an hour before the session": "no_overlap",
    "table cut": "file_truncated",
}
FAILED = {
    "all NaN": "file_empty",
    "stamps back by 30 s": "time_not_increasing",
    "V for mV": "unit_wrong",
    "µV for mV": "unit_wrong",
    "S for µS": "unit_wrong",
    "°F for °C": "unit_wrong",
    "E4's 1/64 g for g": "unit_wrong",
    "two devices with one name in an XDF file": "column_missing",
    "WFDB cut": "file_truncated",
    "EDF cut": "file_truncated",
    "XDF cut": "file_truncated",
    "empty XDF streams": "file_empty",
    "an empty stream named, beside a counter": "file_empty",
    "manifest says 1000 Hz, stamps 360": "rate_mismatch",
    "WFDB header says ten times the samples": "file_truncated",
    "WFDB header says a gain of 2": "unit_wrong",
    "EDF header says ten times the records": "file_truncated",
    "EDF header says no signals": "column_missing",
    "E4 table says 4 Hz, not 64": "sampling_rate_low",
}


@pytest.mark.slow
@pytest.mark.real
def test_every_damage_is_said_or_does_no_harm(shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("CUEFLOW_TEST_DATA", str(shared_data))
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[2] / "benchmarks"), *sys.path])
    import damaged

    wanted = {
        **{what: ("ok", *why) for what, why in OK.items()},
        **{what: ("degraded", why) for what, why in DEGRADED.items()},
        **{what: ("failed", why) for what, why in FAILED.items()},
    }
    found, rates = {}, {}
    for what, row, values in damaged.found(tmp_path):
        found[what] = (row["status"], *damaged.reasons(row))
        rates[what] = [v["value"] for v in values if v["biomarker"] == "hr_mean" and v["status"] == "ok"]
    assert found == wanted
    for what in OK.keys() - {"WFDB header says 1000 Hz"}:
        assert rates[what] == [pytest.approx(74.2, abs=0.5)], what
    assert rates["WFDB header says 1000 Hz"] == []
