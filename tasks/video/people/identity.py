"""Who a face is: 128 numbers that are near for the same person, from dlib's residual network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.results import FloatArray

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 150  # pixels of the aligned face
MEAN_RGB = (122.782, 117.001, 104.298)
BLOCKS = (
    "conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3", "conv128_down", "conv128_1",
    "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out",
)  # fmt: skip
# where the eyes' centres and the point between nose and lip lie in the aligned face: dlib's mean shape, padded by .25
PLACES = np.array([[47.7, 47.1], [100.3, 47.1], [74.0, 87.8]])
MESH_EYES, MESH_NOSE_BASE = ((33, 133), (263, 362)), 2


class FaceIdentity:
    """Dlib's face recognition network in torch, with the weights that face-api.js stores as bytes.

    Parameters
    ----------
    folder : Path
        Holds `face_recognition_model.bin` and its manifest.

    Raises
    ------
    ModelError
        If the files do not hold the network.

    References
    ----------
    King (2017), High quality face recognition with deep metric learning, dlib.net
    """

    def __init__(self, folder: Path) -> None:
        import torch

        try:
            raw = _weights(folder)
            self._weights = {name: torch.from_numpy(_turned(values)) for name, values in raw.items()}
            self._fc = self._weights["fc"]
        except (OSError, KeyError, ValueError) as error:
            raise ModelError(
                "The face identity model cannot be read; run `cueflow models pull`", reason=Reason.MODEL_HASH
            ) from error

    def __call__(self, chips: NDArray[np.uint8]) -> FloatArray:
        """Numbers of aligned faces.

        Parameters
        ----------
        chips : ndarray, shape (n, 150, 150, 3)
            uint8, RGB, as `aligned_face` makes them.

        Returns
        -------
        ndarray, shape (n, 128)
            The same person lies within .5 as a rule, different people further apart than .55.
        """
        import torch
        from torch.nn import functional

        with torch.inference_mode():
            x = (torch.from_numpy(chips).float() - torch.tensor(MEAN_RGB)) / 255
            x = self._conv(x.permute(0, 3, 1, 2), "conv32_down", stride=2, padding=0)
            x = functional.max_pool2d(functional.relu(x), 3, 2)
            for block in BLOCKS:
                x = self._block(x, block)
            return np.asarray((x.mean(dim=(2, 3)) @ self._fc).double().numpy())

    def _conv(self, x: Any, name: str, *, stride: int = 1, padding: int = 1) -> Any:  # noqa: ANN401 - torch tensors
        from torch.nn import functional

        w = self._weights
        filters, bias = w[f"{name}/conv/filters"], w[f"{name}/conv/bias"]
        out = functional.conv2d(x, filters, bias, stride=stride, padding=padding)
        return out * w[f"{name}/scale/weights"][:, None, None] + w[f"{name}/scale/biases"][:, None, None]

    def _block(self, x: Any, name: str) -> Any:  # noqa: ANN401
        from torch.nn import functional

        down = "down" in name
        first = self._conv(x, f"{name}/conv1", stride=2 if down else 1, padding=0 if down else 1)
        out = self._conv(functional.relu(first), f"{name}/conv2")
        if down:  # the way past the block is halved, and filled up with zeros to the same size
            x = functional.avg_pool2d(x, 2)
            height, width = max(x.shape[2], out.shape[2]), max(x.shape[3], out.shape[3])
            out = functional.pad(out, (0, width - out.shape[3], 0, height - out.shape[2]))
            x = functional.pad(x, (0, width - x.shape[3], 0, height - x.shape[2], 0, out.shape[1] - x.shape[1]))
        return functional.relu(out + x)


def _weights(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Arrays by name: stored as bytes with a scale and a lowest value, a few as float32."""
    listing = json.loads((folder / "face_recognition_model-weights_manifest.json").read_text(encoding="utf-8"))
    data = np.frombuffer((folder / "face_recognition_model.bin").read_bytes(), np.uint8)
    found, at = {}, 0
    for entry in listing[0]["weights"]:
        count, stored = int(np.prod(entry["shape"])), entry.get("quantization")
        if stored is None:
            values, size = data[at : at + 4 * count].view(np.float32).copy(), 4 * count
        else:
            values = data[at : at + count] * np.float32(stored["scale"]) + np.float32(stored["min"])
            size = count
        found[entry["name"]] = values.reshape(entry["shape"])
        at += size
    return found


def _turned(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Filters as torch wants them: outputs, inputs, height, width."""
    return np.ascontiguousarray(values.transpose(3, 2, 0, 1)) if values.ndim == 4 else values


def mesh_anchors(points: FloatArray) -> FloatArray:
    """The points that a face is aligned by, of a landmark mesh.

    Parameters
    ----------
    points : ndarray, shape (478, 2 or more)
        Landmarks in pixels.

    Returns
    -------
    ndarray, shape (3, 2)
        Centres of the person's right and left eye, and the point between nose and upper lip.
    """
    eyes = [points[list(pair), :2].mean(axis=0) for pair in MESH_EYES]
    return np.stack([*eyes, points[MESH_NOSE_BASE, :2]])


def aligned_face(frame: NDArray[np.uint8], anchors: FloatArray) -> NDArray[np.uint8]:
    """Turn, scale and move a face onto the mean shape.

    Parameters
    ----------
    frame : ndarray, shape (height, width, 3)
        uint8, RGB.
    anchors : ndarray, shape (3, 2)
        As `mesh_anchors` gives them, in pixels.

    Returns
    -------
    ndarray, shape (150, 150, 3)
        uint8, RGB.
    """
    import cv2

    a, b = anchors - anchors.mean(axis=0), PLACES - PLACES.mean(axis=0)
    # least squares over rotations with scale, written as complex numbers
    turn = np.vdot(a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]) / np.sum(a**2)
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    shift = PLACES.mean(axis=0) - matrix @ anchors.mean(axis=0)
    whole = np.hstack([matrix, shift[:, None]])
    return np.asarray(cv2.warpAffine(frame, whole, (SIDE, SIDE), flags=cv2.INTER_LINEAR), dtype=np.uint8)
