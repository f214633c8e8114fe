"""Scores like action units, out of blendshapes. They are no action units: nobody coded them.

Each score is the mean of blendshapes whose description by their inventor names the same movement as the action unit of
that number. MediaPipe's model was trained on rendered blendshapes, not on faces coded by people; its scores for cheek,
nose and dimple stay near zero in most faces.

References
----------
Apple, ARFaceAnchor.BlendShapeLocation; Ekman, Friesen and Hager (2002), Facial Action Coding System, isbn:0-931835-01-1
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cueflow.schemas.results import FloatArray

UNITS: Mapping[str, tuple[str, ...]] = {
    "au01": ("browInnerUp",),
    "au02": ("browOuterUpLeft", "browOuterUpRight"),
    "au04": ("browDownLeft", "browDownRight"),
    "au05": ("eyeWideLeft", "eyeWideRight"),
    "au06": ("cheekSquintLeft", "cheekSquintRight"),
    "au07": ("eyeSquintLeft", "eyeSquintRight"),
    "au09": ("noseSneerLeft", "noseSneerRight"),
    "au10": ("mouthUpperUpLeft", "mouthUpperUpRight"),
    "au12": ("mouthSmileLeft", "mouthSmileRight"),
    "au14": ("mouthDimpleLeft", "mouthDimpleRight"),
    "au15": ("mouthFrownLeft", "mouthFrownRight"),
    "au17": ("mouthShrugLower",),
    "au20": ("mouthStretchLeft", "mouthStretchRight"),
    "au23": ("mouthPressLeft", "mouthPressRight"),
    "au25": ("jawOpen", "mouthClose"),
    "au26": ("jawOpen",),
    "au45": ("eyeBlinkLeft", "eyeBlinkRight"),
}


def unit_scores(shapes: Mapping[str, float]) -> list[float]:
    """Scores in the order of `UNITS`.

    Parameters
    ----------
    shapes : mapping
        Blendshape to score, 0 to 1.

    Returns
    -------
    list of float
        0 to 1 each. Lips part (25) as far as the open jaw is not made up for by closed lips.
    """
    scores = []
    for unit, names in UNITS.items():
        values = [shapes[name] for name in names]
        scores.append(max(0.0, values[0] - values[1]) if unit == "au25" else float(np.mean(values)))
    return scores


def activity(score: FloatArray) -> FloatArray:
    """How far a score stands above its resting level, the tenth percentile of the recording.

    Parameters
    ----------
    score : ndarray, shape (n,)
        0 to 1, NaN where no face was seen.

    Returns
    -------
    ndarray, shape (n,)
    """
    good = score[np.isfinite(score)]
    return score - np.quantile(good, 0.1) if len(good) else score
