"""Head angles on rendered rotations, and events of the face on simulated videos, against known truth.

python benchmarks/faces.py angles                       # a face turned in space by known angles
python benchmarks/faces.py events [SESSIONS] [MINUTES]  # default 4 sessions of 1 minute, at 25 and at 60 frames/s

The rendered face is the simulator's portrait on a mesh: depth of the landmarks, perspective of a camera about two arm
lengths away. Truth of the events is the simulator's plan; thresholds for nods were once set on its sessions.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from measure import heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Role
from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.simulate.portrait import load_picture
from cueflow.tasks.video.analyse import Place, analyse_video
from cueflow.tasks.video.face.finder import FaceSearch
from cueflow.tasks.video.face.geometry import head_angles, rotation_between

Picture = NDArray[np.uint8]
AWAY = 4.0  # of the camera, in heights of the face
RINGS = ((1.25, 0.25), (1.7, 0.6))  # hair and neck: how far outside the face's outline, and how far behind it
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
        150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
KINDS = ("blink", "nod", "shake", "smile")
NEAR_S = 0.3


def main(arguments: Sequence[str]) -> None:
    """Measure what was named."""
    if arguments[:1] == ["angles"]:
        angles()
    elif arguments[:1] == ["events"]:
        sessions, minutes = (float(given) for given in (*arguments[1:], *("4", "1")[len(arguments) - 1 :]))
        events(int(sessions), minutes)
    else:
        raise SystemExit(__doc__)


def angles() -> None:
    """Turn the face about each axis and compare."""
    turns = [("yaw", a) for a in (-30, -20, -10, 10, 20, 30)] + [
        (axis, a) for axis in ("pitch", "roll") for a in (-20, -10, 10, 20)
    ]
    with FaceSearch(video_models().landmarker) as search:
        mesh = Mesh(load_picture()[:, :, ::-1], search)
        rest = _pose(search, mesh.turned(np.eye(3)))
        print(heading("Head angles on a rendered face"))
        print("| turned | degrees | found | whole error, degrees |\n|---|---|---|---|")
        errors = []
        for axis, degrees in turns:
            turn = rotation(axis, degrees)
            pose = _pose(search, mesh.turned(turn))
            found = head_angles(pose @ rest.T)[("pitch", "yaw", "roll").index(axis)]
            errors.append(rotation_between(turn @ rest, pose))
            print(f"| {axis} | {degrees} | {found:.1f} | {errors[-1]:.1f} |")
    print(f"\nMean {np.mean(errors):.1f}, largest {np.max(errors):.1f} degrees.\n")


def rotation(axis: str, degrees: float) -> FloatArray:
    """As `head_angles` names them: x right in the picture, y up, z to the camera."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "pitch": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "yaw": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "roll": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def _pose(search: FaceSearch, picture: Picture) -> FloatArray:
    face = search.anywhere(picture, tries=None)
    if face is None:
        raise SystemExit("no face is found in a rendered picture")
    return face.pose


class Mesh:
    """The portrait on triangles between its landmarks, with two rings around them for hair and neck."""

    def __init__(self, portrait: Picture, search: FaceSearch) -> None:
        from scipy.spatial import Delaunay

        self._portrait = np.ascontiguousarray(portrait)
        face = search.anywhere(self._portrait, tries=None)
        if face is None:
            raise SystemExit("no face is found in the portrait")
        points = face.points[:468] * np.array([1.0, 1.0, -1.0])  # depth towards the camera
        middle, size = points[:, :2].mean(axis=0), float(np.ptp(points[:, 1]))
        oval = points[list(OVAL)]
        rings = [
            np.column_stack([middle + far * (oval[:, :2] - middle), oval[:, 2] - behind * size])
            for far, behind in RINGS
        ]
        every = np.concatenate([points, *rings])
        self._at = np.clip(every[:, :2], 0, np.array(portrait.shape[1::-1]) - 1).astype(np.float32)
        self._triangles = Delaunay(every[:, :2]).simplices
        centre = np.array([*middle, float(every[:, 2].mean())])
        self._space = (every - centre) * np.array([1.0, -1.0, 1.0]) / size

    def turned(self, turn: FloatArray) -> Picture:
        """The face turned in space, seen by the camera."""
        import cv2

        side = 640
        space = self._space @ turn.T
        scale = 0.45 * side * AWAY / (AWAY - space[:, 2])
        shown = (np.column_stack([space[:, 0], -space[:, 1]]) * scale[:, None] + side / 2).astype(np.float32)
        canvas = np.full((side, side, 3), 128, np.uint8)
        for triangle in sorted(self._triangles, key=lambda t: space[t, 2].mean()):
            (left, top), (right, bottom) = np.floor(shown[triangle].min(axis=0)), np.ceil(shown[triangle].max(axis=0))
            left, top = int(max(left, 0)), int(max(top, 0))
            width, height = int(min(right + 1, side)) - left, int(min(bottom + 1, side)) - top
            if width <= 0 or height <= 0:
                continue
            corners = shown[triangle] - np.array([left, top], np.float32)
            warp = cv2.getAffineTransform(self._at[triangle], corners)
            part = cv2.warpAffine(self._portrait, warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
            mask = np.zeros((height, width), np.uint8)
            cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
            canvas[top : top + height, left : left + width][mask > 0] = part[mask > 0]
        return canvas


def events(sessions: int, minutes: float) -> None:
    """Simulate, look, match."""
    print(heading(f"Events of the face, {sessions} sessions of {minutes:g} min"))
    print("| frames/s | event | true | found | F1 | median difference of the length, ms |\n|---|---|---|---|---|---|")
    for rate in (25.0, 60.0):
        with tempfile.TemporaryDirectory() as folder:
            cohort = Path(folder, "cohort")
            effects = replace(Effects.plain(), modalities=("video",), fps_choices=(rate,), shakes_per_min=3.0)
            simulate(cohort, sessions=sessions, minutes=minutes, seed=41, effects=effects)
            truth = pl.read_parquet(cohort / "truth.parquet")
            found = {path.parent.name: _events(path, rate) for path in sorted(cohort.glob("*/video.mp4"))}
        for kind in KINDS:
            print(f"| {rate:g} | {kind} | {_compared(kind, truth, found)} |")
    print()


def _events(video: Path, rate: float) -> list[Any]:
    config = VideoConfig(face_rate_hz=rate)
    return list(analyse_video(video, place=Place(), models=video_models(), config=config)[Role.PATIENT].events)


def _compared(kind: str, truth: pl.DataFrame, found: dict[str, list[Any]]) -> str:
    true, seen, hits, lengths = 0, 0, 0, []
    for session, rows in found.items():
        expected = truth.filter(session_id=session, kind=kind).select("onset_s", "duration_s").rows()
        left = [(e.start_s, e.end_s) for e in rows if e.kind == kind]
        true, seen = true + len(expected), seen + len(left)
        for onset, length in expected:
            match = [e for e in left if e[0] < onset + length + NEAR_S and e[1] > onset - NEAR_S]
            if match:
                best = min(match, key=lambda e: abs(sum(e) / 2 - onset - length / 2))
                left.remove(best)
                hits += 1
                lengths.append(1000 * abs(best[1] - best[0] - length))
    score = 2 * hits / (true + seen) if true + seen else float("nan")
    return f"{true} | {seen} | {score:.3f} | {np.median(lengths) if lengths else float('nan'):.0f}"


if __name__ == "__main__":
    main(sys.argv[1:])
