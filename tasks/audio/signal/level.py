"""Level and clipping of 10 ms frames, and what they say about the recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import HOP

F32 = NDArray[np.float32]

POWER_FLOOR = 1e-12  # -120 dB re full scale: below what any 16-bit recording can hold
_RAIL = 0.99  # of full scale
_STILL = 0.002  # neighbours closer than this at the rail did not get there by themselves


def frame_power(samples: F32, *, n_frames: int) -> F32:
    """Mean square of every frame.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Samples of the core, without offset.
    n_frames : int
        Whole frames.

    Returns
    -------
    ndarray, shape (n_frames,)
        Re full scale squared.
    """
    rows = samples[: n_frames * HOP].reshape(n_frames, HOP)
    return np.asarray(np.einsum("ij,ij->i", rows, rows) / HOP, dtype=np.float32)


def clipped_samples(raw: F32, *, n_frames: int) -> NDArray[np.uint8]:
    """Number of samples in every frame that stay at the end of the scale together with a neighbour.

    Parameters
    ----------
    raw : ndarray, shape (n,)
        Samples as read.
    n_frames : int
        Whole frames.

    Returns
    -------
    ndarray of uint8, shape (n_frames,)
        0 to 160.
    """
    at_rail = np.abs(raw) >= _RAIL
    pair = at_rail[1:] & at_rail[:-1] & (np.abs(np.diff(raw)) <= _STILL)
    held = np.zeros(len(raw), dtype=bool)
    held[1:] |= pair
    held[:-1] |= pair
    return np.asarray(held[: n_frames * HOP].reshape(n_frames, HOP).sum(axis=1), dtype=np.uint8)


def gone_samples(gone: NDArray[np.bool_], *, n_frames: int) -> NDArray[np.uint8]:
    """Number of samples in every frame that were not recorded.

    Parameters
    ----------
    gone : ndarray of bool, shape (n,)
        Samples that were filled.
    n_frames : int
        Whole frames.

    Returns
    -------
    ndarray of uint8, shape (n_frames,)
        0 to 160.
    """
    return np.asarray(gone[: n_frames * HOP].reshape(n_frames, HOP).sum(axis=1), dtype=np.uint8)


def decibels(power: NDArray[np.floating]) -> F32:
    """Power as level, in dB re full scale.

    Parameters
    ----------
    power : ndarray
        Mean squares.

    Returns
    -------
    ndarray
        At least -120.
    """
    return np.asarray(10.0 * np.log10(np.maximum(power, POWER_FLOOR)), dtype=np.float32)
