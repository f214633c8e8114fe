"""Head angles on rendered rotations, and events of the face on simulated videos, against known truth.

python benchmarks/faces.py angles                       # faces turned in space by known angles
python benchmarks/faces.py masks                        # masks drawn over the same faces
python benchmarks/faces.py glasses                      # the same faces with and without, glasses drawn over the bare
python benchmarks/faces.py events [SESSIONS] [MINUTES]  # default 4 sessions of 1 minute, at 25 and at 60 frames/s

The rendered faces are the simulator's portrait and those of photographs beside the checkout on a mesh: depth of the
landmarks, perspective of a camera about two arm lengths away. The points of the pose were chosen with these in view.
Truth of the events is the simulator's plan; where nods end was set on other sessions of its.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from measure import DATA, heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Role
from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.simulate.portrait import load_picture
from cueflow.tasks.video.analyse import Place, analyse_video
from cueflow.tasks.video.face.cover import mask_signs, mouth_covered
from cueflow.tasks.video.face.finder import FaceSearch, Square, ideal_square, image_of, squares
from cueflow.tasks.video.face.geometry import head_angles, rotation_between
from cueflow.tasks.video.face.glasses import glasses_signs, hides_eyes, wears_glasses

Picture = NDArray[np.uint8]
AWAY = 4.0  # of the camera, in heights of the face
RINGS = ((1.25, 0.25), (1.7, 0.6))  # hair and neck: how far outside the face's outline, and how far behind it
OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
        150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
MASK = (234, 117, 119, 197, 348, 346, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136,
        172, 58, 132, 93)  # fmt: skip
MASKS = {"light blue": (150, 190, 215), "white": (235, 235, 232), "black": (35, 35, 38), "pink": (225, 180, 165)}
WORN = frozenset({0, 1, 8, 9, 10, 19, 22, 23})  # of the faces, in the order of `faces`: those with glasses, by eye
FRAMES = {"black, thick": ((30, 30, 32), 0.09, False), "brown, thin": ((95, 65, 45), 0.04, False),
          "pale, thick": ((225, 220, 205), 0.09, False), "dark lenses": ((30, 30, 32), 0.09, True)}  # fmt: skip
KINDS = ("blink", "nod", "shake", "smile")
SEED = 97  # of the simulated sessions: nothing was chosen on them
NEAR_S = 0.3
NEAR_DEG = 3.0
PICTURES = ("video_face/*.jpg", "image_gesture/mp_*/*.jpg", "video_face/*face.m*", "video_rppg/*.mp4",
            "video_blink/*.mp4", "video_gesture/*.mp4", "video_action/*makeup.avi")  # fmt: skip
LEAST_PX, AHEAD_DEG = 60, 20.0  # smallest face that is rendered, and how far it may be turned in its picture
CONDITIONS = (("as above", AWAY, 1.0), ("camera 2.5 face heights away", 2.5, 1.0),
              ("camera 8 face heights away", 8.0, 1.0), ("a face as deep by .85", AWAY, 0.85),
              ("a face as deep by 1.15", AWAY, 1.15))  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Measure what was named."""
    if arguments[:1] == ["angles"]:
        angles()
    elif arguments[:1] == ["masks"]:
        masks()
    elif arguments[:1] == ["glasses"]:
        glasses()
    elif arguments[:1] == ["events"]:
        sessions, minutes = (float(given) for given in (*arguments[1:], *("4", "1")[len(arguments) - 1 :]))
        events(int(sessions), minutes)
    else:
        raise SystemExit(__doc__)


def angles() -> None:
    """Turn every face about each axis and compare; `MediaPipe` is its own facial transformation matrix."""
    turns = [("yaw", a) for a in (-30, -20, -10, 10, 20, 30)] + [
        (axis, a) for axis in ("pitch", "roll") for a in (-20, -10, 10, 20)
    ]
    with FaceSearch(video_models().landmarker) as search, Matrix() as matrix:
        meshes = [Mesh(picture, search) for picture in faces(search)]
        print(heading(f"Head angles on {len(meshes)} rendered faces"))
        print(
            "| turned | degrees | found, median | error, mean | 95 % of errors below | within 3° |"
            " whole error, median | MediaPipe, median | MediaPipe's error, mean | the portrait |"
            "\n|---|---|---|---|---|---|---|---|---|---|"
        )
        for axis, degrees in turns:
            _print_turn(meshes, axis, degrees, search=search, matrix=matrix)
        print("\nYaw of 20 degrees to either side, median over the faces, and mean error:\n")
        for name, away, depth in CONDITIONS:
            found = np.array([m.found(search, ("yaw", d), away=away, depth=depth) for m in meshes for d in (-20, 20)])
            found = np.abs(found[np.isfinite(found[:, 0]), 0])
            print(f"- {name}: {np.median(found):.1f}, {np.mean(np.abs(found - 20)):.1f}")
    print()


def _print_turn(meshes: Sequence[Mesh], axis: str, degrees: float, *, search: FaceSearch, matrix: Matrix) -> None:
    ours = np.array([m.found(search, (axis, degrees)) for m in meshes])
    theirs = np.array([m.found(matrix, (axis, degrees))[0] for m in meshes])
    both = np.isfinite(ours[:, 0]) & np.isfinite(theirs)  # a face that is not found has no angle
    errors, others = np.abs(ours[both, 0] - degrees), np.abs(theirs[both] - degrees)
    print(
        f"| {axis} | {degrees} | {np.median(ours[both, 0]):.1f} | {errors.mean():.1f} | {np.quantile(errors, 0.95):.1f}"
        f" | {np.mean(errors <= NEAR_DEG):.2f} of {both.sum()} | {np.median(ours[both, 1]):.1f}"
        f" | {np.median(theirs[both]):.1f} | {others.mean():.1f} | {ours[0, 0]:.1f} |"
    )


def faces(search: FaceSearch) -> list[Picture]:
    """The simulator's portrait, then the faces of the photographs and clips beside the checkout, all of one size."""
    import cv2

    found = [load_picture()[:, :, 2::-1]]
    for path in sorted(p for pattern in PICTURES for p in DATA.glob(pattern)):
        film = cv2.VideoCapture(str(path))
        film.set(cv2.CAP_PROP_POS_FRAMES, 5 if path.suffix != ".jpg" else 0)
        read, picture = film.read()
        if read:
            found += _faces_in(np.ascontiguousarray(picture[:, :, ::-1]), search)
    return found


def _faces_in(picture: Picture, search: FaceSearch) -> list[Picture]:
    """Squares around the faces that are large enough and look about ahead."""
    import cv2

    height, width = picture.shape[:2]
    found: list[Picture] = []
    places: list[FloatArray] = []
    for square in squares(height, width):
        face = search.inside(square, picture)
        face = face and search.inside(ideal_square(face.points, height, width), picture)
        if face is None or np.max(np.abs(head_angles(face.pose)[:2])) > AHEAD_DEG:
            continue
        tall, middle = float(np.ptp(face.points[:, 1])), face.points[:, :2].mean(axis=0)
        if tall < LEAST_PX or any(np.linalg.norm(middle - place) < LEAST_PX for place in places):
            continue
        places.append(middle)
        side = round(2.6 * tall)
        cut = Square(*(round(v - side / 2) for v in middle), side).of(picture)
        cut = np.asarray(cv2.resize(cut, (780, 780), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
        if search.anywhere(cut, tries=None) is not None:
            found.append(cut)
    return found


class Matrix:
    """MediaPipe's own fit of its metric face model, to compare with; use it in a `with` statement."""

    def __enter__(self) -> Self:
        from mediapipe.tasks.python import BaseOptions, vision

        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(video_models().landmarker)),
                output_facial_transformation_matrixes=True,
            )
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()

    def pose(self, picture: Picture) -> FloatArray | None:
        """Rotation of the face, None where none is found."""
        found = self._landmarker.detect(image_of(picture)).facial_transformation_matrixes
        return found[0][:3, :3] / np.linalg.norm(found[0][:3, 0]) if found else None


def rotation(axis: str, degrees: float) -> FloatArray:
    """As `head_angles` names them: x right in the picture, y up, z to the camera."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "pitch": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "yaw": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "roll": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


def masks() -> None:
    """Bare faces, and the same under masks of several colours: how many are found, and said to be covered."""
    print(heading("Masks drawn over faces"))
    print("| mask | faces | found | told to be covered |\n|---|---|---|---|")
    with FaceSearch(video_models().landmarker) as search:
        bare = [np.ascontiguousarray(picture) for picture in faces(search)]
        known = [(picture, face.points) for picture in bare if (face := search.anywhere(picture, tries=None))]
        for name, colour in (("none", None), *MASKS.items()):
            pictures = [p if colour is None else _masked(p, points, colour) for p, points in known]
            found = [(p, face.points) for p in pictures if (face := search.anywhere(p, tries=None))]
            told = sum(mouth_covered(*np.reshape(mask_signs(p, points), (2, 1))) for p, points in found)
            print(f"| {name} | {len(known)} | {len(found)} | {told} |", flush=True)
    print()


def _masked(picture: Picture, points: FloatArray, colour: tuple[int, int, int]) -> Picture:
    """A mask from the nose to the chin, lit as the face below it."""
    import cv2

    inside = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(inside, [np.round(points[list(MASK), :2]).astype(np.int32)], 1.0)
    light = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64), (0, 0), 25)
    shade = np.clip(light / np.median(light[inside > 0]), 0.6, 1.3)[..., None]
    soft = cv2.GaussianBlur(inside, (0, 0), 1.5)[..., None]
    return np.clip(picture * (1 - soft) + np.clip(shade * colour, 0, 255) * soft, 0, 255).astype(np.uint8)


def glasses() -> None:
    """Who wears glasses and who does not, as they are, and bare faces with glasses drawn over them."""
    print(heading("Glasses before the eyes"))
    print("The thresholds were set on every other face, from the first on: `known`; the rest are `others`.\n")
    print("| glasses | known: faces, told, eyes hidden | others: faces, told, eyes hidden |\n|---|---|---|")
    with FaceSearch(video_models().landmarker) as search:
        found = [np.ascontiguousarray(picture) for picture in faces(search)]
        known = [(i, p, f.points) for i, p in enumerate(found) if (f := search.anywhere(p, tries=None))]
        bare = [one for one in known if one[0] not in WORN]
        rows = {"none": bare, "worn": [one for one in known if one[0] in WORN]}
        for name, (colour, thick, dark) in FRAMES.items():
            drawn = [(i, _with_glasses(p, points, colour, thick, dark=dark)) for i, p, points in bare]
            rows[f"drawn, {name}"] = [(i, p, f.points) for i, p in drawn if (f := search.anywhere(p, tries=None))]
        for name, shown in rows.items():
            cells = []
            for half in (0, 1):
                signs = [glasses_signs(p, points) for i, p, points in shown if i % 2 == half]
                told = [s for s in signs if wears_glasses(np.array(s[:1]), np.array(s[1:2]))]
                hidden = sum(hides_eyes(np.array(s[2:])) for s in told)
                cells.append(f"{len(signs)}, {len(told)}, {hidden}")
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print()


def _with_glasses(
    picture: Picture, points: FloatArray, colour: tuple[int, int, int], thick: float, *, dark: bool
) -> Picture:
    """Two round lenses, a bridge below the line of the eyes and temples; `thick`: of the rim, in eyes' widths."""
    import cv2

    scale = 4
    drawn = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    right, left = (scale * points[list(pair), :2].mean(axis=0) for pair in ((33, 133), (362, 263)))
    apart = float(np.linalg.norm(left - right))
    angle = float(np.degrees(np.arctan2(*(left - right)[::-1])))
    rim, axes = max(1, round(thick * apart * 0.45)), (round(0.36 * apart), round(0.27 * apart))
    down = np.array([0.0, 0.05 * apart])
    for eye, side in ((right + down, -1.0), (left + down, 1.0)):
        at = tuple(np.round(eye).astype(int).tolist())
        if dark:
            cv2.ellipse(drawn, at, axes, angle, 0, 360, (45, 48, 50), -1, cv2.LINE_AA)
        cv2.ellipse(drawn, at, axes, angle, 0, 360, colour, rim, cv2.LINE_AA)
        along = side * (left - right) / apart
        for start, end in ((-0.36, -0.5), (0.36, 0.75)):  # to the middle, and to the ear
            ends = [np.round(eye + share * apart * along).astype(int).tolist() for share in (start, end)]
            cv2.line(drawn, ends[0], ends[1], colour, rim, cv2.LINE_AA)
    return np.asarray(cv2.resize(drawn, picture.shape[1::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _pose(search: FaceSearch | Matrix, picture: Picture) -> FloatArray | None:
    if isinstance(search, Matrix):
        return search.pose(picture)
    face = search.anywhere(picture, tries=None)
    return None if face is None else face.pose


class Mesh:
    """The portrait on triangles between its landmarks, with two rings around them for hair and neck."""

    def __init__(self, portrait: Picture, search: FaceSearch) -> None:
        from scipy.spatial import Delaunay

        self._portrait = np.ascontiguousarray(portrait)
        self._rest: dict[tuple[str, float, float], FloatArray | None] = {}
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

    def found(
        self, search: FaceSearch | Matrix, turn: tuple[str, float], *, away: float = AWAY, depth: float = 1.0
    ) -> tuple[float, float]:
        """Angle found about the axis it was turned about, against the face at rest, and the whole rotation's error."""
        axis, degrees = turn
        as_seen = (type(search).__name__, away, depth)
        if as_seen not in self._rest:
            self._rest[as_seen] = _pose(search, self.turned(np.eye(3), away=away, depth=depth))
        rest = self._rest[as_seen]
        pose = _pose(search, self.turned(rotation(axis, degrees), away=away, depth=depth))
        if rest is None or pose is None:
            return float("nan"), float("nan")
        about = head_angles(pose @ rest.T)[("pitch", "yaw", "roll").index(axis)]
        return float(about), rotation_between(rotation(axis, degrees) @ rest, pose)

    def turned(self, turn: FloatArray, *, away: float, depth: float, portrait: Picture | None = None) -> Picture:
        """The face, as deep as said, turned in space, seen by the camera; `portrait`: the same one, painted over."""
        import cv2

        portrait = self._portrait if portrait is None else portrait

        side = 640
        space = self._space * np.array([1.0, 1.0, depth]) @ turn.T
        scale = 0.45 * side * away / (away - space[:, 2])
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
            part = cv2.warpAffine(portrait, warp, (width, height), borderMode=cv2.BORDER_REPLICATE)
            mask = np.zeros((height, width), np.uint8)
            cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
            canvas[top : top + height, left : left + width][mask > 0] = part[mask > 0]
        return canvas


def events(sessions: int, minutes: float) -> None:
    """Simulate, look, match."""
    print(heading(f"Events of the face, {sessions} sessions of {minutes:g} min"))
    print(
        "| frames/s | event | true | found | F1 | length off by, median, ms | begin, end, median, ms |"
        "\n|---|---|---|---|---|---|---|"
    )
    for rate in (25.0, 60.0):
        with tempfile.TemporaryDirectory() as folder:
            cohort = Path(folder, "cohort")
            effects = replace(
                Effects.plain(), modalities=("video",), fps_choices=(rate,), nods_per_min=6.0, shakes_per_min=5.0
            )
            simulate(cohort, sessions=sessions, minutes=minutes, seed=SEED, effects=effects)
            truth = pl.read_parquet(cohort / "truth.parquet")
            found = {path.parent.name: _events(path, rate) for path in sorted(cohort.glob("*/video.mp4"))}
        for kind in KINDS:
            print(f"| {rate:g} | {kind} | {_compared(kind, truth, found)} |")
    print()


def _events(video: Path, rate: float) -> list[Any]:
    config = VideoConfig(face_rate_hz=rate, body_rate_hz=2.0, hand_rate_hz=1.0, flow_rate_hz=1.0)
    return list(analyse_video(video, place=Place(), models=video_models(), config=config)[Role.PATIENT].events)


def _compared(kind: str, truth: pl.DataFrame, found: dict[str, list[Any]]) -> str:
    true, seen, hits = 0, 0, 0
    ends: list[tuple[float, float]] = []
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
                ends.append((1000 * (best[0] - onset), 1000 * (best[1] - onset - length)))
    score = 2 * hits / (true + seen) if true + seen else float("nan")
    begin, end = np.reshape(ends or [(np.nan, np.nan)], (-1, 2)).T
    off = f"{np.median(np.abs(end - begin)):.0f} | {np.median(begin):+.0f}, {np.median(end):+.0f}"
    return f"{true} | {seen} | {score:.3f} | {off}"


if __name__ == "__main__":
    main(sys.argv[1:])
