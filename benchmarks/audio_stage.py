"""Speed and memory of the audio stage on one core.

python benchmarks/audio_stage.py SPEECH.wav MINUTES          # a recording at 16 kHz, repeated to that length
python benchmarks/audio_stage.py SPEECH.wav MINUTES words    # the recogniser of words alone
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence

import numpy as np
import soundfile
from numpy.typing import NDArray

from cueflow.flows.work.stages import model_path
from cueflow.schemas.config import AudioConfig
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.talk.recognise import recognise
from cueflow.tasks.audio.talk.words import count_words
from cueflow.tasks.audio.tracks import VoiceModels


def main(arguments: Sequence[str]) -> None:
    """Print seconds of processor per second of audio, and peak memory."""
    if len(arguments) not in {2, 3} or arguments[2:] not in ([], ["words"]):
        raise SystemExit(__doc__)
    samples, rate = soundfile.read(arguments[0], dtype="float32", always_2d=True)
    if rate != 16_000:
        raise SystemExit("the recording must have 16 kHz")
    times = max(round(float(arguments[1]) * 60 * rate / len(samples)), 1)
    if arguments[2:]:
        words(samples[:, 0], times)
        return
    models = VoiceModels(model_path("silero_vad"), model_path("speaker_encoder"))
    analyse_audio([samples[:, 0]], Setting(), models=models, config=AudioConfig())
    began = time.process_time()
    found = analyse_audio(
        (samples[:, 0] for _ in range(times)),
        Setting(),
        models=models,
        config=AudioConfig(),
    )
    spent = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{found.end_s / 60:.1f} min: {spent / found.end_s:.4f} × real time, peak {peak:.0f} MiB")


def words(samples: NDArray[np.float32], times: int) -> None:
    """Print what counting words costs, and how many it finds."""
    began = time.process_time()
    heard = recognise((samples for _ in range(times)), model_path("whisper_tiny_en"), start_s=0.0)
    spent, seconds = time.process_time() - began, times * len(samples) / 16_000
    count, _ = count_words([one.text for one in heard])
    print(f"{seconds:.0f} s: {spent / seconds:.3f} × real time, loading included; {count} words")


if __name__ == "__main__":
    main(sys.argv[1:])
