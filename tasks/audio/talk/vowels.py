"""Whose a held vowel is: its print says little of who holds it, its pitch says more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.vad import runs

Flags = NDArray[np.bool_]
Labels = NDArray[np.int64]

_CRUMB = 15  # frames of speech, or of a floor, beside a held vowel that are too short to be anybody else's


def give_vowels(
    labels: Labels, floor: Flags, speech: Flags, *, tones: Flags, f0_hz: NDArray[np.float32]
) -> tuple[Labels, Flags]:
    """Put every held vowel, as a whole, to whoever's talk is nearest to it in pitch.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Who speaks in every frame, -1 where nobody does.
    floor : ndarray of bool, shape (count, n)
        Who holds the floor.
    speech, tones : ndarray of bool, shape (n,)
        Frames with speech, and those of held vowels.
    f0_hz : ndarray, shape (n,)
        Pitch, NaN where unvoiced.

    Returns
    -------
    labels : ndarray of int, shape (n,)
    floor : ndarray of bool, shape (count, n)
        The floor is held by that one for as long as the vowel lasts. Where nobody's talk has a pitch, the vowel is
        whose most of it was.
    """
    labels, floor = labels.copy(), floor.copy()
    everybody = np.arange(len(floor))
    talk = speech & ~tones
    usual = np.asarray([_pitch(f0_hz[talk & (labels == k)]) for k in everybody])
    for first, last in _spans(tones, speech):
        held = slice(first, last)
        away = np.abs(usual - _pitch(f0_hz[held]))
        most = np.bincount(np.maximum(labels[held], 0), minlength=len(floor)).argmax()
        holder = int(np.nanargmin(away)) if np.isfinite(away).any() else int(most)
        labels[held] = np.where(speech[held], holder, -1)
        around = slice(max(first - _CRUMB, 0), last + _CRUMB)
        floor[:, around] &= speech[around]
        floor[:, held] = everybody[:, None] == holder
    return labels, floor


def _spans(tones: Flags, speech: Flags) -> list[tuple[int, int]]:
    """Held vowels with the crumbs of speech around them."""
    spans = []
    silence = np.flatnonzero(~speech)
    for first, last in runs(tones):
        before, behind = np.searchsorted(silence, first) - 1, np.searchsorted(silence, last)
        left = silence[before] + 1 if before >= 0 else 0
        right = silence[behind] if behind < len(silence) else len(speech)
        spans.append((int(left if first - left < _CRUMB else first), int(right if right - last < _CRUMB else last)))
    return spans


def _pitch(f0_hz: NDArray[np.float32]) -> float:
    """Median in semitones; NaN without a voiced frame."""
    there = f0_hz[np.isfinite(f0_hz)]
    return 12.0 * float(np.log2(np.median(there))) if len(there) else float("nan")
