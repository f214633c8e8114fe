"""What tells a held vowel from other tones, and how much of each counts as voice.

python benchmarks/voice_held.py DATA     # a folder that has speech_asr and speech_vowels

Every sound lasts 5 s, in the quiet of a room: alone, and 0 s behind 4 s of real speech. Medians over its frames.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from measure import heading
from scipy.signal import lfilter, resample_poly

from cueflow.flows.work.stages import MODELS, model_path
from cueflow.schemas.session import Group
from cueflow.tasks.audio.signal.held import with_held
from cueflow.tasks.audio.signal.vad import speech_frames
from cueflow.tasks.audio.tracks import Tracks, VoiceModels, measure_tracks

RATE = 16_000
T = np.arange(5 * RATE) / RATE
RNG = np.random.default_rng(7)


def main(data: str) -> None:
    """Print the table."""
    root = Path(data)
    speech = _read(root / "speech_asr" / "libri-1088-134315-0000.wav")[round(0.4 * RATE) : 4 * RATE]
    print(heading("Held tones"))
    print("| sound | HNR, dB | CPP, dB | change of cycles, % | GNE | H1-H2, dB | voice alone | behind speech, heard |")
    print("|---|---|---|---|---|---|---|---|")
    for name, sound in _sounds(root):
        alone = _tracks(sound)
        v = alone.voicing
        said = [np.nanmedian(t) for t in (v.hnr_db, v.cpps_db, 100.0 * v.jitter, v.gne, v.h1_h2_db)]
        voice, _ = _voice(alone, 1.0)
        behind, heard = _voice(_tracks(np.concatenate([speech, sound])), 1.0 + len(speech) / RATE)
        print(
            f"| {name} | {said[0]:.1f} | {said[1]:.1f} | {said[2]:.2f} | {said[3]:.2f} | {said[4]:.0f}"
            f" | {voice:.1f} s | {behind:.1f} s, {heard:.1f} s |",
            flush=True,
        )


def _tracks(sound: np.ndarray) -> Tracks:
    quiet = np.zeros(RATE)
    x = np.concatenate([quiet, sound, quiet])
    x = x + np.random.default_rng(1).normal(0.0, 3e-4, len(x))
    models = VoiceModels(*(model_path(name) for name in MODELS[Group.AUDIO]))
    return measure_tracks([x.astype(np.float32)], models=models, f0_floor_hz=60.0, f0_ceiling_hz=500.0)


def _voice(tracks: Tracks, since_s: float) -> tuple[float, float]:
    """Seconds of the sound that count as voice, and that the network heard by itself."""
    heard = speech_frames(tracks.probability, threshold=0.5)
    first = round(100 * since_s)
    return tuple(float(flags[first:].sum()) / 100.0 for flags in (with_held(heard, tracks.voicing).speech, heard))


def _sounds(root: Path) -> Iterator[tuple[str, np.ndarray]]:
    yield "sine, 425 Hz", 0.2 * np.sin(2.0 * np.pi * 425.0 * T)
    yield "beep with harmonics, 200 Hz", _rich(200.0, 0.1)
    yield "chord", sum(_rich(f, 0.05) for f in (220.0, 277.2, 329.6))
    yield "bowed string, vibrato of 1 %", _rich(220.0 * (1.0 + 0.01 * np.sin(2.0 * np.pi * 5.5 * T)), 0.1)
    yield "motor, 97 Hz, in noise", _rich(97.0, 0.05) + RNG.normal(0.0, 3e-3, len(T))
    yield "hum, 100 Hz, in noise", _rich(100.0, 4e-3) + RNG.normal(0.0, 3e-4, len(T))
    for f0_hz in (120.0, 150.0, 200.0, 240.0):
        yield f"synthetic vowel, {f0_hz:.0f} Hz", _vowel(f0_hz)
    for vowel in "aeiou":
        real = _looped(_read(root / "speech_vowels" / f"female_mono_{vowel}.wav"))
        yield f"real {vowel}, looped", real
        for below_db in (26, 15, 10):
            noise = RNG.normal(0.0, np.sqrt(np.mean(real**2)) * 10.0 ** (-below_db / 20.0), len(real))
            yield f"real {vowel}, noise {below_db} dB below", real + noise


def _rich(f0_hz: float | np.ndarray, level: float) -> np.ndarray:
    phase = 2.0 * np.pi * np.cumsum(np.broadcast_to(f0_hz, T.shape)) / RATE
    return level * sum(np.sin(k * phase) / k for k in range(1, 10))


def _vowel(f0_hz: float) -> np.ndarray:
    """Pulses whose distances vary by .4 % from one to the next, a little breath, and four formants."""
    x, at = RNG.normal(0.0, 4e-3, len(T) + 1), 0.0
    while at < len(T) - 1:
        x[int(at)] += 1.0 - at % 1.0
        x[int(at) + 1] += at % 1.0
        at += RATE / f0_hz * (1.0 + 0.004 * RNG.normal())
    for hertz, width in ((700, 80), (1200, 90), (2600, 120), (3400, 150)):
        r = np.exp(-np.pi * width / RATE)
        x = lfilter([1.0], [1.0, -2.0 * r * np.cos(2.0 * np.pi * hertz / RATE), r * r], x)
    x = lfilter([1.0], [1.0, -0.95], x[:-1])
    return 0.3 * x / np.abs(x).max()


def _looped(vowel: np.ndarray) -> np.ndarray:
    """The middle of a recorded vowel, again and again with a cross-fade of 20 ms."""
    middle, fade = vowel[len(vowel) // 4 : -len(vowel) // 4], np.linspace(0.0, 1.0, round(0.02 * RATE))
    out = middle
    while len(out) < len(T):
        joint = out[-len(fade) :] * (1.0 - fade) + middle[: len(fade)] * fade
        out = np.concatenate([out[: -len(fade)], joint, middle[len(fade) :]])
    return out[: len(T)]


def _read(path: Path) -> np.ndarray:
    x, rate = soundfile.read(path, dtype="float64", always_2d=True)
    return np.asarray(x[:, 0] if rate == RATE else resample_poly(x[:, 0], RATE, rate))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
