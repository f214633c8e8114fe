"""Contours as a user asks for them: what is refused, and what a narrow recording does not hold."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import soundfile

from cueflow.flows.contours import write_contours
from cueflow.flows.work.stages import _transcript
from cueflow.schemas.errors import TablesError
from cueflow.schemas.reasons import Reason


def buzz(path, rate):
    t = np.arange(2 * rate) / rate
    soundfile.write(path, 0.2 * sum(np.cos(2 * np.pi * 150 * h * t) / h for h in range(1, 9)), rate, subtype="PCM_U8")
    return path


def told(share):
    assert 0.0 <= share <= 1.0


@pytest.mark.parametrize("out", ["talk.wav", "other.wav", "talk.csv", "folder.parquet"])
def test_a_recording_is_never_written_over(tmp_path, out):
    recording = buzz(tmp_path / "talk.wav", 16_000)
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "other.wav").write_bytes(b"another recording")
    before = {path: path.read_bytes() for path in tmp_path.glob("*.wav")}
    with pytest.raises(TablesError, match=r"ends in \.parquet"):
        write_contours(recording, tmp_path / out, channel="", progress=told)
    assert {path: path.read_bytes() for path in tmp_path.glob("*.wav")} == before


def test_a_narrow_recording_has_no_contours_of_what_it_lacks(tmp_path):
    found = {}
    for rate in (4_000, 11_025, 16_000):
        out = tmp_path / f"{rate}.parquet"
        assert write_contours(buzz(tmp_path / "talk.wav", rate), out, channel="", progress=told) == 200
        table = pl.read_parquet(out)
        found[rate] = {name for name in table.columns if table[name].null_count() == len(table)}
        assert table["F0semitoneFrom27.5Hz_sma3nz"].median() == pytest.approx(12 * np.log2(150 / 27.5), abs=0.3)
    assert found[16_000] <= {"jitterLocal_sma3nz", "shimmerLocaldB_sma3nz"}  # of a buzz without any
    assert {"Loudness_sma3", "mfcc1_sma3"} <= found[11_025]
    assert "alphaRatio_sma3" not in found[11_025]
    assert {"Loudness_sma3", "alphaRatio_sma3", "F1frequency_sma3nz", "logRelF0-H1-A3_sma3nz"} <= found[4_000]


def test_contours_are_null_where_samples_are_missing(tmp_path):
    samples, rate = soundfile.read(buzz(tmp_path / "talk.wav", 16_000))
    samples[8_000:12_000] = np.nan
    soundfile.write(tmp_path / "cut.wav", samples, rate, subtype="FLOAT")
    assert write_contours(tmp_path / "cut.wav", tmp_path / "cut.parquet", channel="", progress=told) == 200
    loudness = pl.read_parquet(tmp_path / "cut.parquet")["Loudness_sma3"]
    assert np.array_equal(np.flatnonzero(loudness.is_null().to_numpy()), np.arange(47, 78))
    assert loudness.drop_nulls().min() > 0


def test_a_transcript_of_another_recording_is_called_so(tmp_path):
    buzz(tmp_path / "talk.wav", 16_000)
    (tmp_path / "talk.vtt").write_text("WEBVTT\n\n00:10.000 --> 00:12.000\nhello there\n", encoding="utf-8")
    assert _transcript(tmp_path, "talk.wav", start_s=5.0, length_s=2.0) == ((), Reason.TRANSCRIPT_ELSEWHERE)
    (one,), reason = _transcript(tmp_path, "talk.wav", start_s=5.0, length_s=11.0)
    assert (one.start_s, reason) == (15.0, None)
