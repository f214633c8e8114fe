"""How far a worse recording moves each measure: white noise, reverberation, hum and gain at several levels.

python benchmarks/voice_robustness.py DATA         # a folder that has speech_diar, speech_asr and speech_pitch_ref
python benchmarks/voice_robustness.py DATA rows    # each measure by itself: schemas/biomarkers/voice_robustness.csv

Prints the median and the largest change over recordings: relative, or absolute for dB, slopes, shares, counts and
semitones. The first way takes three recordings and prints groups of measures; the second one also sentences with
pauses, and two simulated conversations of 90 s, with a microphone each for turn taking and in one room for the number
of speakers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from measure import heading
from scipy.signal import fftconvolve
from voice_speakers import result_of, simulated

from cueflow.flows.work.stages import MODELS, model_path
from cueflow.schemas.biomarkers import BIOMARKERS, of_modality
from cueflow.schemas.biomarkers.voice_robustness import ABSOLUTE, CONDITIONS, FROM_TEXT
from cueflow.schemas.config import AudioConfig
from cueflow.schemas.results import Findings
from cueflow.schemas.session import Group, Role
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.between import between_recordings
from cueflow.tasks.audio.talk.recognise import recognise
from cueflow.tasks.audio.tracks import VoiceModels

RATE = 16_000
FILES = ("speech_asr/libri-1088-134315-0000.wav", "speech_asr/librivox_0870.wav", "speech_diar/sample.wav")
CONVERSATIONS = 2
GROUPS = (
    "voice_f0_st", "voice_f0", "voice_jitter", "voice_shimmer", "voice_hnr", "voice_cpp", "voice_gne", "voice_h1h2",
    "voice_formant", "voice_alpha", "voice_mfcc", "loudness", "speech_share", "speech_pause", "speech_articulation",
    "speech_syllables_npvi", "egemaps_f0", "egemaps_loudness", "egemaps_mfcc",
)  # fmt: skip
OF_A_ROOM = frozenset({"speech_speaker_count", "speech_speaker_likeness"})
Values = dict[str, float]


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


def main(data: str, what: str = "") -> None:
    """Print the table of groups, or a row for every measure."""
    root = Path(data)
    if what == "rows":
        _rows(root)
        return
    if what:
        raise SystemExit(f"{what}? it is nothing, or rows")
    moved: dict[tuple[str, str], list[float]] = {}
    names: list[str] = []
    for samples in _read(root):
        clean, worse = _reading(samples), conditions(samples)
        names = list(worse)
        for name, x in worse.items():
            for biomarker, away in _away(_reading(x), clean).items():
                group = next((g for g in GROUPS if biomarker.startswith(g)), None)
                if group is not None:
                    moved.setdefault((group, name), []).append(away)
    print(heading("Robustness of the voice measures"))
    print(f"| measures | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for group in GROUPS:
        cells = [moved.get((group, name), []) for name in names]
        print(f"| `{group}*` | {' | '.join(f'{np.median(c):.2f} ({max(c):.2f})' if c else '' for c in cells)} |")


def _rows(root: Path) -> None:
    moved: dict[tuple[str, str], list[float]] = {}
    talks = [(room, apart) for _, room, _, apart in islice(simulated(root), CONVERSATIONS)]
    looks: list[tuple[list[np.ndarray], Callable[[list[np.ndarray]], Values]]] = [
        *(([x], lambda worse: _reading(worse[0], words=True)) for x in (*_read(root), _sentences(root))),
        *(([room], lambda worse: _room(worse[0])) for room, _ in talks),
        *((list(apart.values()), _conversation) for _, apart in talks),
    ]
    for sounds, values_of in looks:
        clean = values_of(sounds)
        worse = [conditions(x) for x in sounds]
        for name in CONDITIONS:
            for biomarker, away in _away(values_of([x[name] for x in worse]), clean).items():
                moved.setdefault((biomarker, name), []).append(away)
    print(",".join(["biomarker", *(f"{name} {which}" for name in CONDITIONS for which in ("median", "largest"))]))
    for biomarker in of_modality("audio"):
        if biomarker.name not in FROM_TEXT:
            cells = [moved.get((biomarker.name, name), []) for name in CONDITIONS]
            numbers = [_short(f(c)) if c else "" for c in cells for f in (np.median, max)]
            print(",".join([biomarker.name, *numbers]), flush=True)


def _short(value: float) -> str:
    """Two digits that count, nothing below a ten-thousandth."""
    return "0" if value < 1e-4 else np.format_float_positional(float(f"{value:.2g}"), trim="-")


def _away(values: Values, clean: Values) -> Values:
    out = {}
    for name in values.keys() & clean.keys():
        away = abs(values[name] - clean[name])
        if BIOMARKERS[name].unit in ABSOLUTE:
            out[name] = away
        elif clean[name]:  # no share of nothing
            out[name] = away / abs(clean[name])
    return out


def _read(root: Path) -> list[np.ndarray]:
    return [soundfile.read(root / file, dtype="float32", always_2d=True)[0][:, 0] for file in FILES]


def _sentences(root: Path) -> np.ndarray:
    """Sentences one after the other, a second apart: enough pauses for what is said of pauses."""
    pieces = [soundfile.read(path, dtype="float32")[0] for path in sorted((root / "speech_asr").glob("librivox_*.wav"))]
    noise = np.random.default_rng(3).normal(0.0, 3e-4, RATE).astype(np.float32)
    return np.concatenate([part for _ in range(2) for piece in pieces for part in (piece, noise)])


def _analysed(samples: np.ndarray, setting: Setting, *, speakers: int) -> Findings:
    models = VoiceModels(*(model_path(name) for name in MODELS[Group.AUDIO]))
    return analyse_audio([samples], setting, models=models, config=AudioConfig(speakers=speakers))


def _known(found: Findings) -> Values:
    return {m.biomarker: m.value for m in found.measures if m.value is not None and not m.speaker}


def _reading(samples: np.ndarray, *, words: bool = False) -> Values:
    """Of a recording as one person's."""
    recognised = recognise([samples], model_path("whisper_tiny_en"), start_s=0.0) if words else None
    found = _known(_analysed(samples, Setting(role=Role.ROOM, recognised=recognised), speakers=1))
    return {name: value for name, value in found.items() if name not in OF_A_ROOM}


def _room(samples: np.ndarray) -> Values:
    """Of a conversation in one microphone: who speaks."""
    found = _known(_analysed(samples, Setting(role=Role.ROOM), speakers=0))
    return {name: value for name, value in found.items() if name in OF_A_ROOM}


def _conversation(sounds: list[np.ndarray]) -> Values:
    """Of the first person of a conversation with a microphone each."""
    roles = (Role.PATIENT, Role.CLINICIAN)
    heard = [result_of(_analysed(x, Setting(role=r), speakers=0), r) for x, r in zip(sounds, roles, strict=True)]
    found = between_recordings(heard)[0].findings
    if found is None:
        raise SystemExit("a conversation was not heard")
    return {name: value for name, value in _known(found).items() if name not in OF_A_ROOM}


if __name__ == "__main__":
    main(*sys.argv[1:])
