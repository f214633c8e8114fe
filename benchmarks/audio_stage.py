"""Speed and memory of the audio stage on one core.

python benchmarks/audio_stage.py SPEECH.wav MINUTES…         # at 16 kHz, repeated to each length, short to long
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

from cueflow.flows.work.stages import MODELS, model_path
from cueflow.schemas.config import AudioConfig
from cueflow.schemas.session import Group
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.talk.recognise import recognise
from cueflow.tasks.audio.talk.words import count_words
from cueflow.tasks.audio.tracks import VoiceModels


def main(arguments: Sequence[str]) -> None:
    """Print seconds of processor per second of audio, and peak memory."""
    lengths = [v for v in arguments[1:] if v != "words"]
    if not arguments or not lengths or (arguments[2:] != ["words"] and len(lengths) != len(arguments) - 1):
        raise SystemExit(__doc__)
    samples, rate = soundfile.read(arguments[0], dtype="float32", always_2d=True)
    if rate != 16_000:
        raise SystemExit("the recording must have 16 kHz")
    times = [max(round(float(minutes) * 60 * rate / len(samples)), 1) for minutes in lengths]
    if arguments[2:] == ["words"]:
        words(samples[:, 0], times[0])
        return
    stage(samples[:, 0], times)


def stage(samples: NDArray[np.float32], lengths: Sequence[int]) -> None:
    """Print what the stage costs at each length, and how much memory a minute more costs."""
    models = VoiceModels(*(model_path(name) for name in MODELS[Group.AUDIO]))
    analyse_audio([samples], Setting(), models=models, config=AudioConfig())
    before: tuple[float, float] | None = None
    for times in sorted(lengths):
        began = time.process_time()
        found = analyse_audio((samples for _ in range(times)), Setting(), models=models, config=AudioConfig())
        spent = time.process_time() - began
        now = (found.end_s / 60, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        more = f", {(now[1] - before[1]) / (now[0] - before[0]):.2f} MiB a minute more" if before else ""
        print(f"{now[0]:.1f} min: {spent / found.end_s:.4f} × real time, peak {now[1]:.0f} MiB{more}", flush=True)
        before = now


def words(samples: NDArray[np.float32], times: int) -> None:
    """Print what counting words costs, and how many it finds."""
    began = time.process_time()
    heard = recognise((samples for _ in range(times)), model_path("whisper_tiny_en"), start_s=0.0)
    spent, seconds = time.process_time() - began, times * len(samples) / 16_000
    count, _ = count_words([one.text for one in heard])
    print(f"{seconds:.0f} s: {spent / seconds:.3f} × real time, loading included; {count} words")


if __name__ == "__main__":
    main(sys.argv[1:])
