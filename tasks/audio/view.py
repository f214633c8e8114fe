"""The frames of one window, and what in them belongs to one speaker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.quality.pitch import speaker_range
from cueflow.tasks.audio.signal.level import POWER_FLOOR
from cueflow.tasks.audio.signal.recorder import Recorder
from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.signal.vad import runs
from cueflow.tasks.audio.talk.timing import Flags, Talk, syllable_nuclei, turns_and_pauses
from cueflow.tasks.audio.tracks import Tracks


@dataclass(frozen=True, slots=True)
class View:
    """The frames of one window: `used` may be used, `speech` and `voice` are among them, `talk` is found in them.

    `silent` are those in which nobody speaks, the speaker of this view or another one;
    `f0_range` is the speaker's pitch floor and ceiling over the whole recording: frames beyond are errors, not voice;
    `usual_db` is the speaker's median level in voiced speech over the whole recording; `recorder` is how it was made.
    """

    tracks: Tracks
    used: Flags
    silent: Flags
    speech: Flags
    voice: Flags
    talk: Talk
    cycles_used: Flags
    f0_range: tuple[float, float]
    usual_db: float
    recorder: Recorder


def view_of(
    tracks: Tracks, speech: Flags, used: Flags, *, others: Flags, pause_min_s: float, recorder: Recorder
) -> View:
    """Look at the frames that may be used.

    Parameters
    ----------
    tracks : Tracks
        Of the whole recording.
    speech, used : ndarray of bool, shape (n,)
        Frames with the speaker's speech; frames of the window that are not excluded.
    others : ndarray of bool, shape (n,)
        Frames in which somebody else speaks.
    pause_min_s : float
        Silence from which on it is a pause.
    recorder : Recorder
        How the recording was made.

    Returns
    -------
    View
    """
    spoken = speech & used
    f0 = tracks.frames.f0_hz
    f0_range = speaker_range(f0[speech & np.isfinite(f0)])
    with np.errstate(invalid="ignore"):
        plausible = (f0 >= f0_range[0]) & (f0 <= f0_range[1])
    voiced = spoken & plausible
    usual_db = median_level(tracks.frames.power[speech & plausible])
    turns, pauses = turns_and_pauses(speech, used, others=others, pause_min_s=pause_min_s)
    nuclei = syllable_nuclei(tracks.frames.power, voiced)
    marks = tracks.cycles.times_s
    frame = np.where(np.isfinite(marks), marks / FRAME_S, 0).astype(np.int64)
    # the NaN between two chunks stays: it is what keeps periods from reaching over the seam
    kept = ~np.isfinite(marks) | voiced[np.clip(frame, 0, len(voiced) - 1)]
    talk = Talk(turns, pauses, tuple(runs(voiced)), nuclei)
    return View(tracks, used, used & ~spoken & ~others, spoken, voiced, talk, kept, f0_range, usual_db, recorder)


def median_level(power: NDArray[np.floating]) -> float:
    """Median level of frames.

    Parameters
    ----------
    power : ndarray, shape (n,)
        Mean squares.

    Returns
    -------
    float
        In dB re full scale; NaN without a frame.
    """
    return float(np.median(10.0 * np.log10(np.maximum(power, POWER_FLOOR, dtype=np.float64)))) if len(power) else np.nan
