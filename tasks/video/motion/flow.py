"""Motion out of a frozen backbone: the published statistic of changing attention, and signed flow of the patch keys.

The statistic is after the idea of AM flow (arXiv:2411.02065); its sharpening and standardisation are options of ours.
It says where something moved, not which way. The signed flow solves for the displacement of the patch keys and takes
out what the camera did.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray

Array = NDArray[np.float32] | FloatArray

FLAT = 1e-8  # a flow map with less spread than this does not change
RIDGE = 0.05  # λ, per channel: pulls the velocity of patches without texture to zero
FIT_ROUNDS = 8
FIT_FLOOR = 0.03  # patches: displacements closer than this to the camera's are not told from it
TUKEY = 4.685


# change of attention


def attention_change(now: Array, then: Array) -> Array:
    """Absolute change of attention between two frames.

    Parameters
    ----------
    now, then : ndarray, shape (..., P, P)
        Attention among patches, rows sum to 1.

    Returns
    -------
    ndarray, shape (..., P, P)
    """
    return np.abs(now - then)


def attention_flow(now: Array, then: Array, *, scale: float | None = None) -> Array:
    """How much each patch takes part in the change of attention: column sums of a softmax along each row.

    Parameters
    ----------
    now, then : ndarray, shape (..., P, P)
        Attention among patches of two frames, rows sum to 1.
    scale : float, optional
        Sharpening of the softmax; 1 is the published formula, whose contrast is useless as a gate; default: P.

    Returns
    -------
    ndarray, shape (..., P)
        Sums to P.

    References
    ----------
    arXiv:2411.02065
    """
    change = attention_change(now, then) * np.asarray(now.shape[-1] if scale is None else scale, dtype=now.dtype)
    weights = np.exp(change - change.max(axis=-1, keepdims=True))
    flow: Array = (weights / weights.sum(axis=-1, keepdims=True)).sum(axis=-2)
    return flow


def standardised(flow: Array) -> FloatArray:
    """Flow map with mean 0 and standard deviation 1; all zero where it is flat.

    Parameters
    ----------
    flow : ndarray, shape (..., P)
        From `attention_flow`.

    Returns
    -------
    ndarray, shape (..., P)
    """
    spread = flow.std(axis=-1, keepdims=True)
    off = flow - flow.mean(axis=-1, keepdims=True)
    return np.where(spread < FLAT, 0.0, off / np.maximum(spread, FLAT))


def attention_magnitude(now: Array, then: Array) -> FloatArray:
    """How much the attention changed as a whole, which the softmax and the standardising throw away.

    Parameters
    ----------
    now, then : ndarray, shape (..., P, P)
        Attention among patches, rows sum to 1.

    Returns
    -------
    ndarray, shape (...)
        Mean absolute change times P: 0 for equal maps, at most 2.
    """
    return np.asarray(attention_change(now, then).mean(axis=(-2, -1)) * now.shape[-1])


# signed flow


def key_displacement(now: Array, then: Array, *, ridge: float = RIDGE) -> FloatArray:
    """Displacement of every patch between two frames, by least squares over a 3 × 3 window and all channels.

    Channels are standardised over both frames, gradients averaged over both, so that exchanging the frames changes the
    sign and nothing else. What a channel changes by in the whole picture beside the motion, as a flicker of the light
    makes it, is estimated from a first solution and left out of the second.

    Parameters
    ----------
    now, then : ndarray, shape (side, side, channels)
        Maps of the earlier and the later frame, for example patch keys.
    ridge : float, optional
        Regularisation per channel.

    Returns
    -------
    ndarray, shape (side, side, 2)
        x (to the right) and y (down) in patches; 0 where there is nothing to follow.

    References
    ----------
    Lucas and Kanade (1981), An iterative image registration technique, Proc. 7th IJCAI, 674-679
    """
    both = np.stack([now, then])
    spread = both.std(axis=(0, 1, 2))
    both = (both - both.mean(axis=(0, 1, 2))) / np.where(spread < FLAT, 1.0, spread).astype(both.dtype)
    along_y, along_x = _gradients(both.mean(axis=0))
    change = both[1] - both[0]
    xx, xy, yy = _window(along_x, along_x), _window(along_x, along_y), _window(along_y, along_y)
    xx, yy = xx + ridge * both.shape[-1], yy + ridge * both.shape[-1]
    determinant = xx * yy - xy * xy

    def solved(change: FloatArray) -> FloatArray:
        xt, yt = _window(along_x, change), _window(along_y, change)
        return np.stack([(xy * yt - yy * xt) / determinant, (xy * xt - xx * yt) / determinant], axis=-1)

    first = solved(change).astype(both.dtype)
    explained = np.tensordot(first[..., 0], along_x, axes=2) + np.tensordot(first[..., 1], along_y, axes=2)
    everywhere = change.mean(axis=(0, 1)) + explained / first[..., 0].size
    return np.asarray(solved(change - everywhere), dtype=np.float64)


def _gradients(maps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sobel / 8 along y and x; borders are continued linearly."""
    padded = np.pad(maps, ((1, 1), (1, 1), (0, 0)))  # np.pad's own reflection takes five times as long
    for axis in (padded, padded.swapaxes(0, 1)):
        axis[0], axis[-1] = 2 * axis[1] - axis[2], 2 * axis[-2] - axis[-3]
    smooth_y = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    smooth_x = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return (smooth_x[2:] - smooth_x[:-2]) / 8, (smooth_y[:, 2:] - smooth_y[:, :-2]) / 8


def _window(one: Array, other: Array) -> FloatArray:
    """Sum of the products over all channels and the 3 × 3 patches around."""
    padded = np.pad(np.einsum("ijc,ijc->ij", one, other), 1)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


@dataclass(frozen=True, slots=True)
class Flow:
    """Signed flow between two frames, in patches per second.

    `camera` (2, 3): the affine field that most patches follow; its rows are x and y, its columns the constant at the
    picture's centre (patch/s) and the change per patch to the right and down (1/s). `field` (side, side, 2): what the
    camera does to each patch; `residual` (side, side, 2): what is left, the motion in the scene.
    """

    camera: FloatArray
    field: FloatArray
    residual: FloatArray


def signed_flow(now: Array, then: Array, *, seconds: float, ridge: float = RIDGE) -> Flow:
    """Velocity of every patch with the camera's taken out.

    Parameters
    ----------
    now, then : ndarray, shape (side, side, channels)
        Maps of the earlier and the later frame.
    seconds : float
        Time between them, from their stamps; positive.
    ridge : float, optional
        As in `key_displacement`.

    Returns
    -------
    Flow
    """
    return without_camera(key_displacement(now, then, ridge=ridge), seconds=seconds)


def without_camera(displacement: FloatArray, *, seconds: float) -> Flow:
    """Velocities with what most patches share taken for the camera's.

    Parameters
    ----------
    displacement : ndarray, shape (side, side, 2)
        In patches.
    seconds : float
        In which it came about; positive.

    Returns
    -------
    Flow
    """
    camera = affine_fit(displacement)
    field = affine_field(camera, displacement.shape[0])
    return Flow(camera / seconds, field / seconds, (displacement - field) / seconds)


def affine_fit(displacement: FloatArray) -> FloatArray:
    """The affine field that most patches follow, by iterated least squares with Tukey's weights.

    Starts from the median displacement, so that something that moves in less than half of the picture has no say.

    Parameters
    ----------
    displacement : ndarray, shape (side, side, 2)
        In patches.

    Returns
    -------
    ndarray, shape (2, 3)
        Rows x and y; columns constant at the centre, change per patch to the right, change per patch down.
    """
    basis = _basis(displacement.shape[0])
    target = displacement.reshape(-1, 2)
    fit = np.zeros((3, 2))
    fit[0] = np.median(target, axis=0)
    for _ in range(FIT_ROUNDS):
        off = np.linalg.norm(target - basis @ fit, axis=1)
        width = TUKEY * max(1.4826 * float(np.median(off)), FIT_FLOOR)
        weighted = basis * np.clip(1 - (off / width) ** 2, 0, None)[:, None] ** 2
        fit = np.linalg.lstsq(weighted.T @ basis, weighted.T @ target, rcond=None)[0]
    return np.asarray(fit.T)


def affine_field(camera: FloatArray, side: int) -> FloatArray:
    """The displacement that an affine field gives each patch.

    Parameters
    ----------
    camera : ndarray, shape (2, 3)
        As from `affine_fit`.
    side : int
        Patches along one side.

    Returns
    -------
    ndarray, shape (side, side, 2)
    """
    return np.asarray(_basis(side) @ camera.T).reshape(side, side, 2)


@cache
def _basis(side: int) -> FloatArray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.stack([np.ones(side * side), x.ravel(), y.ravel()], axis=1)
