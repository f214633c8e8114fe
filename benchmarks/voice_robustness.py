"""How far a worse recording moves each measure: white noise, reverberation and gain at several levels.

python benchmarks/voice_robustness.py DATA    # a folder that has speech_diar and speech_asr

Prints, by group of measures, the median and the largest change over three recordings: relative, or absolute for dB,
shares and semitones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile
from measure import heading
from scipy.signal import fftconvolve

from cueflow.flows.work.stages import MODELS, model_path
from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.config import AudioConfig
from cueflow.schemas.session import Group, Role
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.tracks import VoiceModels

RATE = 16_000
FILES = ("speech_asr/libri-1088-134315-0000.wav", "speech_asr/librivox_0870.wav", "speech_diar/sample.wav")
GROUPS = (
    "voice_f0_st", "voice_f0", "voice_jitter", "voice_shimmer", "voice_hnr", "voice_cpp", "voice_gne", "voice_h1h2",
    "voice_formant", "voice_alpha", "voice_mfcc", "loudness", "speech_share", "speech_pause", "speech_articulation",
    "speech_syllables_npvi", "egemaps_f0", "egemaps_loudness", "egemaps_mfcc",
)  # fmt: skip
ABSOLUTE = frozenset({"dB", "1", "st"})


def conditions(samples: np.ndarray) -> dict[str, np.ndarray]:
    """The recording as worse recorders would have it.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Mono at 16 kHz.

    Returns
    -------
    dict
        By name; noise and hum (five harmonics) are below the recording's mean power, reverberation is fading noise
        10 dB below the direct sound.
    """
    rng = np.random.default_rng(7)
    power = float(np.mean(samples**2))
    noise = rng.normal(size=len(samples))
    found = {f"noise {snr} dB": samples + noise * np.sqrt(power * 10.0 ** (-snr / 10.0)) for snr in (30, 20, 10)}
    for t60 in (0.3, 0.6):
        t = np.arange(int(t60 * RATE)) / RATE
        tail = rng.normal(size=len(t)) * 10.0 ** (-3.0 * t / t60)
        tail *= np.sqrt(0.1 / np.sum(tail**2))
        tail[0] = 1.0
        found[f"reverberation {t60} s"] = fftconvolve(samples, tail)[: len(samples)]
    t = np.arange(len(samples)) / RATE
    for mains in (50, 60):
        hum = sum(np.sin(2 * np.pi * mains * k * t + k) / k for k in range(1, 6))
        hum *= np.sqrt(power / np.mean(hum**2))
        found |= {f"hum {mains} Hz {snr} dB": samples + hum * 10.0 ** (-snr / 20.0) for snr in (25, 20, 15, 10)}
    found |= {f"gain {gain} dB": samples * 10.0 ** (gain / 20.0) for gain in (-20, -10, 6)}
    return {name: np.clip(x, -1.0, 1.0).astype(np.float32) for name, x in found.items()}


def main(data: str) -> None:
    """Print the table."""
    models = VoiceModels(*(model_path(name) for name in MODELS[Group.AUDIO]))
    moved: dict[tuple[str, str], list[float]] = {}
    names: list[str] = []
    for file in FILES:
        samples = soundfile.read(Path(data) / file, dtype="float32", always_2d=True)[0][:, 0]
        clean = _values(samples, models)
        worse = conditions(samples)
        names = list(worse)
        for name, x in worse.items():
            for biomarker, value in _values(x, models).items():
                group = next((g for g in GROUPS if biomarker.startswith(g)), None)
                if group is not None and biomarker in clean:
                    away = abs(value - clean[biomarker])
                    if BIOMARKERS[biomarker].unit not in ABSOLUTE:
                        away /= max(abs(clean[biomarker]), 1e-9)
                    moved.setdefault((group, name), []).append(away)
    print(heading("Robustness of the voice measures"))
    print(f"| measures | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for group in GROUPS:
        cells = [moved.get((group, name), []) for name in names]
        print(f"| `{group}*` | {' | '.join(f'{np.median(c):.2f} ({max(c):.2f})' if c else '' for c in cells)} |")


def _values(samples: np.ndarray, models: VoiceModels) -> dict[str, float]:
    found = analyse_audio([samples], Setting(role=Role.ROOM), models=models, config=AudioConfig(speakers=1))
    return {m.biomarker: m.value for m in found.measures if m.value is not None and not m.speaker}


if __name__ == "__main__":
    main(sys.argv[1])
