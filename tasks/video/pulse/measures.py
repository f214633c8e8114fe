"""Biomarkers of the pulse from the face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray, Measure, Series, Window
from cueflow.tasks.video.pulse.rppg import PulseWindow
from cueflow.tasks.windows import per_second


def pulse_measures(found: Sequence[PulseWindow], windows: Sequence[Window], *, face: bool) -> list[Measure]:
    """All declared measures of the pulse from the face, over every window.

    Parameters
    ----------
    found : sequence of PulseWindow
        On the session clock.
    windows : sequence of Window
        Spans to summarise.
    face : bool
        True where a face was seen at all.

    Returns
    -------
    list of Measure
        Without a rate where no ten seconds pass the gate: then the signal is too weak, and the ratio says how weak.
    """
    return [m for window in windows for m in _summary(found, window, face=face)]


def _summary(found: Sequence[PulseWindow], window: Window, *, face: bool) -> list[Measure]:
    inside = [p for p in found if window.start_s <= (p.start_s + p.end_s) / 2 < window.end_s]
    good = [p for p in inside if p.good]
    looked, used = _covered(inside), _covered(good)
    duration = max(window.duration_s, 1e-9)
    snr = float(np.median([min(p.pos_snr_db, p.chrom_snr_db) for p in inside])) if inside else None
    gone = None if inside else Reason.FEW_EVIDENCE if face else Reason.NO_FACE
    rates = [p.bpm for p in good]
    weak = gone or (None if good else Reason.LOW_SIGNAL)
    return [
        BIOMARKERS["face_pulse_rate_mean"].measure(
            float(np.mean(rates)) if rates else None, window, n_evidence=used or looked, coverage=used / duration,
            reason=weak, quality=used / looked if looked else None,
        ),
        BIOMARKERS["face_pulse_snr_median"].measure(
            snr, window, n_evidence=looked, coverage=looked / duration, reason=gone
        ),
        BIOMARKERS["face_pulse_usable_share"].measure(
            used / looked if looked else None, window, n_evidence=looked, coverage=looked / duration, reason=gone
        ),
    ]  # fmt: skip


def _covered(found: Sequence[PulseWindow]) -> float:
    """Seconds covered by windows that overlap."""
    total, end = 0.0, -np.inf
    for p in found:
        total += p.end_s - max(p.start_s, end) if p.end_s > end else 0.0
        end = max(end, p.end_s)
    return total


def pulse_series(found: Sequence[PulseWindow], *, start_s: float, end_s: float) -> list[Series]:
    """The pulse's declared per-second series: the rate of each window that passes, at its middle.

    Parameters
    ----------
    found : sequence of PulseWindow
        On the session clock.
    start_s, end_s : float
        Extent of the recording, s.

    Returns
    -------
    list of Series
    """
    good = [p for p in found if p.good]
    times: FloatArray = np.array([(p.start_s + p.end_s) / 2 for p in good])
    return [per_second("face_pulse_rate", times, np.array([p.bpm for p in good]), start_s=start_s, end_s=end_s)]
