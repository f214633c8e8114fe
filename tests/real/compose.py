"""Compose a dataset of real sessions: `python tests/real/compose.py DATA DATASET`.

Each session is one recording, or the recordings that were made together; files are copied as they are.
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

COLUMNS = (
    "session_id", "subject_id", "visit", "modality", "role", "path", "start_s", "sampling_rate", "channel", "unit",
)  # fmt: skip

# session, modality, role, file, sampling rate, channel, unit
STREAMS = (
    ("blinks", "video", "patient", "video_blink/blinking_4.mp4", "", "", ""),
    ("speaker", "video", "patient", "av_mexca/test_video_audio_5_seconds.mp4", "", "", ""),
    ("speaker", "audio", "patient", "av_mexca/test_video_audio_5_seconds.mp4", "", "", ""),
    ("still-face", "video", "patient", "video_rppg/evm_face.mp4", "", "", ""),
    ("face-leaves", "video", "patient", "video_face/face_noface.mov", "", "", ""),
    ("no-face", "video", "patient", "video_face/no_face.mp4", "", "", ""),
    ("signing", "video", "patient", "video_temporal/asl_sequence.mp4", "", "", ""),
    ("dialogue", "audio", "room", "speech_diar/sample.wav", "", "", ""),
    ("reading", "audio", "patient", "speech_asr/libri-1088-134315-0000.wav", "", "", ""),
    ("sentence", "audio", "patient", "speech_pitch_ref/arctic_a0007.wav", "", "", ""),
    ("icu-01", "ecg", "patient", "physio_bidmc/bidmc_01_Signals.csv", "125", "II", "mV"),
    ("icu-01", "ppg", "patient", "physio_bidmc/bidmc_01_Signals.csv", "125", "PLETH", ""),
    ("icu-01", "respiration", "patient", "physio_bidmc/bidmc_01_Signals.csv", "125", "RESP", ""),
    ("icu-05", "ecg", "patient", "physio_bidmc/bidmc_05_Signals.csv", "125", "II", "mV"),
    ("icu-05", "ppg", "patient", "physio_bidmc/bidmc_05_Signals.csv", "125", "PLETH", ""),
    ("icu-05", "respiration", "patient", "physio_bidmc/bidmc_05_Signals.csv", "125", "RESP", ""),
    ("cardiology", "ecg", "patient", "physio_ecg_gold/mitdb/100_first5min_mlii_mV.csv", "360", "ecg_mV", "mV"),
    ("resting", "ecg", "patient", "physio_neurokit/bio_resting_5min_100hz.csv", "100", "ECG", "mV"),
    ("resting", "ppg", "patient", "physio_neurokit/bio_resting_5min_100hz.csv", "100", "PPG", ""),
    ("resting", "respiration", "patient", "physio_neurokit/bio_resting_5min_100hz.csv", "100", "RSP", ""),
    ("stimuli", "ecg", "patient", "physio_neurokit/bio_eventrelated_100hz.csv", "100", "ECG", "mV"),
    ("stimuli", "eda", "patient", "physio_neurokit/bio_eventrelated_100hz.csv", "100", "EDA", "µS"),
    ("stimuli", "respiration", "patient", "physio_neurokit/bio_eventrelated_100hz.csv", "100", "RSP", ""),
    ("broken", "audio", "patient", "speech_broken/broken_file..wav", "", "", ""),
    ("damaged", "video", "patient", "video_robust/Megamind_bugy.avi", "", "", ""),
)


def compose(data: Path, dataset: Path) -> Path:
    """Write the dataset and return its folder."""
    dataset.mkdir(parents=True)
    with (dataset / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for session, modality, role, source, rate, channel, unit in STREAMS:
            target = dataset / session / Path(source).name
            if not target.exists():
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(data / source, target)
            path = target.relative_to(dataset).as_posix()
            writer.writerow((session, f"subject-{session}", "1", modality, role, path, "0", rate, channel, unit))
    return dataset


if __name__ == "__main__":
    print(compose(Path(sys.argv[1]), Path(sys.argv[2])))
