"""Change of attention under a moving camera: both maps are first moved half of the camera's way to one another.

The published method (arXiv:2411.02065) has a variant for moving cameras that could not be read; this one is our own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.motion.flow import Array, attention_flow, attention_magnitude

MOVES, SHARE = 0.5, 0.2  # patches; share of pairs: from there on a recording counts as filmed by a moving camera


def warp_matrix(field: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Where each patch of the earlier frame is to be found in the later one, as bilinear weights.

    Parameters
    ----------
    field : ndarray, shape (side, side, 2)
        Displacement of each patch, x and y in patches, from `affine_field`.

    Returns
    -------
    tuple
        Weights (P, P): row i gives the patches of the later frame that lie where patch i went, and sums to 1; whether
        that place is in view (P,), rows out of view being zero.
    """
    side = field.shape[0]
    y, x = np.mgrid[:side, :side].astype(np.float64)
    to_x, to_y = (x + field[..., 0]).ravel(), (y + field[..., 1]).ravel()
    view = (to_x >= 0) & (to_x <= side - 1) & (to_y >= 0) & (to_y <= side - 1)
    left, top = (np.clip(np.floor(v), 0, side - 2).astype(int) for v in (to_x, to_y))
    part_x, part_y = np.clip(to_x - left, 0, 1), np.clip(to_y - top, 0, 1)
    weights = np.zeros((side * side, side * side))
    rows = np.arange(side * side)
    for dy, wy in ((0, 1 - part_y), (1, part_y)):
        for dx, wx in ((0, 1 - part_x), (1, part_x)):
            np.add.at(weights, (rows, (top + dy) * side + left + dx), wx * wy)
    return weights * view[:, None], view


def put_back(then: Array, field: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """The later attention map as it would be if the camera had stood still.

    Parameters
    ----------
    then : ndarray, shape (..., P, P)
        Attention of the later frame, rows sum to 1.
    field : ndarray, shape (side, side, 2)
        What the camera did to each patch, in patches.

    Returns
    -------
    tuple
        Attention (..., P, P), rows in view summing to 1 over the patches in view; which patches are (P,).
    """
    weights, view = warp_matrix(field)
    moved = weights @ np.asarray(then, dtype=np.float64) @ weights.T
    total = moved.sum(axis=-1, keepdims=True)
    return moved / np.where(total > 0, total, 1.0), view


def moving_attention_flow(
    now: Array, then: Array, field: FloatArray, *, scale: float | None = None
) -> tuple[FloatArray, FloatArray]:
    """Attention flow with the camera's part taken out.

    Both maps meet half way: moving one of them alone would blur it, and the blur would count as a change.

    Parameters
    ----------
    now, then : ndarray, shape (..., P, P)
        Attention of two frames, rows sum to 1.
    field : ndarray, shape (side, side, 2)
        What the camera did to each patch between them, in patches.
    scale : float, optional
        As in `attention_flow`; default: the number of patches in view.

    Returns
    -------
    tuple
        Flow (..., P) of the patches of the moment between, 0 out of view, summing to the number of patches in view;
        magnitude (...). Both are 0 where fewer than two patches are in view.
    """
    before, view = put_back(now, -field / 2)
    after, also = put_back(then, field / 2)
    view &= also
    flow = np.zeros(now.shape[:-1])
    if view.sum() < 2:
        return flow, np.zeros(now.shape[:-2])
    before, after = (_within(maps, view) for maps in (before, after))
    flow[..., view] = attention_flow(before, after, scale=scale)
    return flow, attention_magnitude(before, after)


def _within(maps: FloatArray, view: NDArray[np.bool_]) -> FloatArray:
    part = maps[..., view, :][..., view]
    return np.asarray(part / part.sum(axis=-1, keepdims=True))


def camera_moves(fields: FloatArray) -> bool:
    """Whether a recording was filmed by a moving camera.

    Parameters
    ----------
    fields : ndarray, shape (pairs, side, side, 2)
        What the camera did between the looks, in patches.

    Returns
    -------
    bool
        True where its mean displacement is over half a patch in more than a fifth of the pairs.
    """
    if not len(fields):
        return False
    return bool((np.linalg.norm(fields, axis=-1).mean(axis=(1, 2)) > MOVES).mean() > SHARE)
