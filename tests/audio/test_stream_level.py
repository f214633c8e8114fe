"""Chunks, level, clipping, loudness and spectra against closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from cueflow.schemas.errors import StreamError
from cueflow.tasks.audio.signal.level import clipped_samples, decibels, frame_power
from cueflow.tasks.audio.signal.spectrum import spectral_frames
from cueflow.tasks.audio.signal.stream import CONTEXT, CORE, HOP, chunks, frames_of

RATE = 16_000


def blocks_of(x, size):
    return (x[i : i + size] for i in range(0, len(x), size))


@pytest.mark.parametrize("seconds", [0.5, 20.48, 20.9, 47.123])
@pytest.mark.parametrize("size", [1_000, 80_000, 10_000_000])
def test_chunks_put_together_are_the_recording(seconds, size):
    x = np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)
    found = list(chunks(blocks_of(x, size)))
    assert np.array_equal(np.concatenate([c.raw for c in found]), x)
    assert sum(c.n_frames for c in found) == len(x) // HOP
    assert [c.first_frame for c in found] == [i * CORE // HOP for i in range(len(found))]
    for before, after in itertools.pairwise(found):
        tail = before.samples[len(before.samples) - CONTEXT :]
        reach = min(CONTEXT, len(after.raw))
        assert np.array_equal(tail[:reach], after.core[:reach]), "the context is what comes next"
        assert np.array_equal(after.samples[:CONTEXT], before.core[-CONTEXT:]), "and what came before"


def test_chunks_do_not_depend_on_the_blocks():
    x = np.random.default_rng(1).normal(0.2, 0.1, 50 * RATE).astype(np.float32)
    small, large = list(chunks(blocks_of(x, 777))), list(chunks([x]))
    for a, b in zip(small, large, strict=True):
        assert np.array_equal(a.samples, b.samples)


def test_an_offset_is_taken_out_from_the_first_sample_on():
    t = np.arange(2 * RATE) / RATE
    x = (0.3 + 0.1 * np.sin(2 * np.pi * 200 * t)).astype(np.float32)
    core = next(iter(chunks([x]))).core
    assert abs(float(core[:1600].mean())) < 0.002
    assert float(core.max()) == pytest.approx(0.1, abs=0.003)


def test_what_is_no_number_is_filled_and_marked():
    """A short gap by a line, a long one by the last value, and none by what lies after the stream."""
    x = np.linspace(0.0, 0.5, RATE).astype(np.float32)
    whole = x.copy()
    x[[100, 101, 5000]] = np.nan, np.inf, -np.inf
    x[8000:8200] = np.nan
    x[-50:] = np.nan
    (chunk,) = chunks([x])
    assert np.array_equal(np.flatnonzero(chunk.gone), [100, 101, 5000, *range(8000, 8200), *range(RATE - 50, RATE)])
    assert chunk.raw[[100, 101, 5000]] == pytest.approx(whole[[100, 101, 5000]], abs=1e-6)
    assert np.array_equal(chunk.raw[8000:8200], np.full(200, x[7999]))
    assert np.array_equal(chunk.raw[-50:], np.full(50, x[-51]))
    assert np.array_equal(chunk.raw[~chunk.gone], x[~chunk.gone])


@pytest.mark.parametrize("size", [1, 37, 160, 161, 1000])
def test_gaps_do_not_depend_on_the_blocks(size):
    rng = np.random.default_rng(4)
    x = rng.normal(0, 0.1, RATE // 2).astype(np.float32)
    for first, length in ((0, 30), (500, 160), (1000, 161), (3000, 1500), (4502, 3), (6000, 1), (7990, 10)):
        x[first : first + length] = np.nan
    (whole,), (cut,) = chunks([x]), chunks(blocks_of(x, size))
    assert np.array_equal(whole.gone, np.isnan(x))
    assert np.array_equal(cut.gone, whole.gone)
    assert np.array_equal(cut.raw, whole.raw)
    assert np.array_equal(cut.samples, whole.samples)


def test_a_recording_of_no_number_is_refused():
    with pytest.raises(StreamError, match="no sample"):
        list(chunks([np.full(RATE, np.nan, dtype=np.float32)]))


def test_frames_are_centred_on_their_ten_milliseconds():
    x = np.zeros(RATE, dtype=np.float32)
    x[37 * HOP + HOP // 2] = 1.0
    chunk = next(iter(chunks([x])))
    frames = frames_of(chunk.samples, 401, n_frames=chunk.n_frames)
    assert np.argmax(np.abs(frames[37])) == 200


def test_level_of_a_sine_is_its_amplitude_over_root_two():
    t = np.arange(RATE) / RATE
    x = (0.1 * np.sin(2 * np.pi * 400 * t)).astype(np.float32)
    assert decibels(frame_power(x, n_frames=100)) == pytest.approx(np.full(100, -23.01), abs=0.01)


def test_clipping_is_counted_to_the_sample_and_a_lone_peak_is_none():
    x = np.zeros(1600, dtype=np.float32)
    x[100:107] = 1.0
    x[500:503] = -1.0
    x[900] = 1.0
    counts = clipped_samples(x, n_frames=10)
    assert counts.tolist() == [7, 0, 0, 3, 0, 0, 0, 0, 0, 0]


def test_loudness_follows_the_power_law():
    x = np.random.default_rng(2).normal(0, 0.02, RATE).astype(np.float32)
    quiet, loud = (next(iter(chunks([g * x]))) for g in (1.0, 10.0))
    ratio = (
        spectral_frames(loud.samples, n_frames=100).loudness[5:95]
        / spectral_frames(quiet.samples, n_frames=100).loudness[5:95]
    )
    assert ratio == pytest.approx(np.full(90, 10**0.66), rel=1e-3)


def test_spectral_tilt_tells_dark_from_bright():
    t = np.arange(RATE) / RATE
    dark = np.sin(2 * np.pi * 500 * t) + 0.01 * np.sin(2 * np.pi * 3000 * t)
    chunk = next(iter(chunks([0.1 * dark.astype(np.float32)])))
    spectra = spectral_frames(chunk.samples, n_frames=100)
    assert np.median(spectra.hammarberg_db) == pytest.approx(40.0, abs=1.0)  # 1 to .01
    assert np.median(spectra.alpha_ratio_db) == pytest.approx(-40.0, abs=1.0)


def test_a_slope_is_read_in_db_per_hertz():
    # white noise through a filter that falls by 12 dB from 500 to 1500 Hz
    from scipy.signal import firwin2, lfilter

    taps = firwin2(513, [0, 500, 1500, 8000], 10 ** (np.array([0, 0, -12, -12]) / 20), fs=RATE)
    x = lfilter(taps, 1.0, np.random.default_rng(3).normal(0, 0.1, 10 * RATE)).astype(np.float32)
    chunk = next(iter(chunks([x])))
    slope = spectral_frames(chunk.samples, n_frames=chunk.n_frames).slope_mid
    assert float(slope.mean()) == pytest.approx(-0.012, abs=0.001)
