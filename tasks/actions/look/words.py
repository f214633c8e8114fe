"""What is looked for in words: a dual encoder says how well each frame fits a description.

Scores go to the head beside what else it reads, or give open-vocabulary cues for what nobody has annotated. No weights
come with cueflow; how good they are depends on the encoder, and was measured with none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.schemas.results import FloatArray
from cueflow.tasks.actions.answer.detect import hysteresis, smoothed
from cueflow.tasks.actions.data.prompts import Prompts
from cueflow.tasks.video.motion.backbone import usable_device
from cueflow.tasks.video.motion.vit import picture_standard

if TYPE_CHECKING:
    from pathlib import Path

    import torch

CHUNK = 16
STANDS_OUT = 3.0  # robust standard deviations above the recording's median that a cue must reach
SHORTEST_S, GAP_S, SMOOTH_S = 1.0, 1.0, 0.5

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cue:
    """A span of a recording that fits a description; `stands_out`: robust standard deviations above its median."""

    label: str
    start_s: float
    end_s: float
    stands_out: float


class Words:
    """A dual encoder (CLIP, SigLIP and their like) with what it is to look for.

    Parameters
    ----------
    folder : Path
        As transformers writes it, with the tokenizer; safetensors only.
    prompts : Prompts
        Labels and phrases.
    device : str, optional
        Where torch computes.

    Attributes
    ----------
    size : int
        Side of the pictures that the encoder sees, pixels.

    Raises
    ------
    ModelError
        If the folder holds no such model.
    """

    def __init__(self, folder: Path, prompts: Prompts, *, device: str = "") -> None:
        import torch

        self.prompts = prompts
        self._device = usable_device(device)
        self._model, tokenizer = _encoders(folder)
        self._model.to(self._device)
        config = self._model.config
        self.size = int(config.vision_config.image_size)
        mean, std = picture_standard(folder, str(config.model_type))
        self._mean, self._std = (torch.tensor(x, device=self._device).view(1, 3, 1, 1) for x in (mean, std))
        fixed = "siglip" in str(config.model_type)  # was taught with padded text only
        rows = []
        with torch.inference_mode():
            for _, phrases in prompts.phrases:
                length = int(config.text_config.max_position_embeddings)
                tokens = tokenizer(
                    list(phrases),
                    padding="max_length" if fixed else True,
                    truncation=True,
                    max_length=length,
                    return_tensors="pt",
                )
                known = {n: x.to(self._device) for n, x in tokens.items() if n in {"input_ids", "attention_mask"}}
                rows.append(_unit(_pooled(self._model.get_text_features(**known))).mean(dim=0))
            self._text = _unit(torch.stack(rows))

    def scores(self, pictures: NDArray[np.uint8]) -> Float32:
        """How well frames fit each description.

        Parameters
        ----------
        pictures : ndarray, shape (n, height, width, 3)
            uint8, RGB; squeezed to the encoder's square.

        Returns
        -------
        ndarray, shape (n, labels)
            Cosine similarity, -1 to 1.
        """
        import torch

        found = []
        with torch.inference_mode():
            for first in range(0, len(pictures), CHUNK):
                part = torch.from_numpy(np.ascontiguousarray(pictures[first : first + CHUNK])).to(self._device)
                small = torch.nn.functional.interpolate(
                    part.permute(0, 3, 1, 2).float(),
                    size=(self.size, self.size),
                    mode="bilinear",
                    antialias=True,
                    align_corners=False,
                )
                seen = _pooled(self._model.get_image_features(pixel_values=(small / 255 - self._mean) / self._std))
                found.append((_unit(seen) @ self._text.T).float().cpu().numpy())
        return np.concatenate(found)


def find_cues(times_s: FloatArray, scores: FloatArray, labels: tuple[str, ...], *, rate_hz: float) -> tuple[Cue, ...]:
    """Spans where a description fits clearly better than in most of the recording.

    Parameters
    ----------
    times_s : ndarray, shape (n,)
        Stamps of the frames, evenly spaced, s.
    scores : ndarray, shape (n, labels)
        From `Words.scores`.
    labels : tuple of str
        Names of the columns.
    rate_hz : float
        Frames a second.

    Returns
    -------
    tuple of Cue
        Three robust standard deviations above the median at least once, down to half of that, a second or longer; in
        order of time. A recording of one and the same scene throughout has none.
    """
    found = []
    for column, label in enumerate(labels):
        curve = smoothed(scores[:, column].astype(np.float64), max(0.5, SMOOTH_S * rate_hz))
        off = curve - np.median(curve)
        spread = 1.4826 * float(np.median(np.abs(off)))
        high = off / spread if spread > 1e-9 else np.zeros(len(off))
        merge, drop = round(GAP_S * rate_hz), max(1, round(SHORTEST_S * rate_hz))
        for a, b in hysteresis(high, STANDS_OUT, merge=merge, drop=drop):
            end = float(times_s[b]) + 1 / rate_hz
            found.append(Cue(label, float(times_s[a]), end, float(high[a : b + 1].mean())))
    return tuple(sorted(found, key=lambda c: (c.start_s, c.label)))


def _encoders(folder: Path) -> tuple[Any, Any]:
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    bar = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"{folder.name}: no dual encoder with its tokenizer that transformers can load from there"
        ) from error
    finally:
        if bar:
            logging.enable_progress_bar()
    if not (hasattr(model, "get_text_features") and hasattr(model, "get_image_features")):
        raise ModelError(f"{folder.name}: encodes pictures or words, not both")
    return model.eval().requires_grad_(False), tokenizer  # noqa: FBT003 - torch's own signature


def _pooled(output: Any) -> torch.Tensor:  # noqa: ANN401 - a tensor, or what holds it, by version
    found: torch.Tensor = output.pooler_output if hasattr(output, "pooler_output") else output
    return found


def _unit(rows: torch.Tensor) -> torch.Tensor:
    made: torch.Tensor = rows / rows.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return made
