"""Where people look, on faces whose irises are painted anew at known angles, against what was painted.

python benchmarks/gaze.py angles            # faces ahead and turned in space, irises turned in the head
python benchmarks/gaze.py pitch             # eyes turned up and down with their lids, in heads that nod or do not
python benchmarks/gaze.py shifts [SECONDS]  # films of some of these faces that look here and there; default 20 s each

The eyes of photographs and clips beside the checkout are repainted: the white as it is on both sides of the iris, and
the iris, as it looks by its distance from the pupil, as a disc on a ball that turns. Its radius (5.85 mm of an adult)
is the scale; it lies 10.5 mm before the ball's centre. Brows do not follow, lids only where it says so: then the upper
one goes .8 of the iris's way up and down and the lower one .4, the skin between them and brow and cheek with them
(that of real eyes goes nearly as far as the eye: Becker and Fuchs 1988, doi:10.1152/jn.1988.60.4.1227).
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import faces as rendered
import numpy as np
from measure import heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Role
from cueflow.tasks.simulate.head import sway
from cueflow.tasks.video.analyse import Place, analyse_video
from cueflow.tasks.video.face.finder import FaceSearch
from cueflow.tasks.video.face.gaze import EYE_GAIN
from cueflow.tasks.video.face.geometry import eye_aspect_ratio, eye_in_head, head_angles

Picture = NDArray[np.uint8]
IRIS_MM, DEPTH_MM = 5.85, 10.5
LIDS = ((33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
        (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466))  # fmt: skip
IRISES = ((468, (469, 471)), (473, (474, 476)))
OPEN, CONTRAST = 0.25, 25.0  # eyes that are narrower, or whose iris is less dark beside the white, show nothing
HEADS, EYES = (-20.0, 0.0, 20.0), ((-20.0, 0.0), (-10.0, 0.0), (10.0, 0.0), (20.0, 0.0), (0.0, -10.0), (0.0, 10.0))
RATE_HZ, HEAD_S, SACCADE_S = 25, 0.4, 0.05
LARGE, SMALL = (12.0, 25.0), (1.0, 4.0)  # degrees: what is a shift, and what is none
REACH = 20.0
NEAR_S = 0.3
LID_UPPER, LID_LOWER, LID_REACH = 0.8, 0.4, 0.8  # of the iris's way; how far the skin goes along, in eyes' widths


class Eyes:
    """A face whose irises can be turned.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3)
        uint8, RGB.
    points : ndarray, shape (478, 3)
        Landmarks in pixels.
    """

    def __init__(self, picture: Picture, points: FloatArray) -> None:
        self._picture = picture
        self._eyes = [_Eye(picture, points, lids, iris) for lids, iris in zip(LIDS, IRISES, strict=True)]

    @property
    def contrast(self) -> float:
        """How much darker the iris is than the white, grey levels, in the eye where it is less."""
        return min(eye.contrast for eye in self._eyes)

    def looking(self, yaw: float, pitch: float, *, lids: bool = False) -> Picture:
        """The face with its eyes turned, degrees to the picture's right and down, and its lids with them."""
        painted = self._picture.copy()
        for eye in self._eyes:
            eye.paint(painted, yaw, pitch, lids=lids)
        return painted


class _Eye:
    def __init__(
        self, picture: Picture, points: FloatArray, lids: Sequence[int], iris: tuple[int, tuple[int, int]]
    ) -> None:

        outline = points[list(lids), :2]
        self._outline = outline
        self.centre = points[iris[0], :2]
        self.radius = float(np.mean(np.linalg.norm(points[list(iris[1]), :2] - self.centre, axis=1)))
        low = np.floor(outline.min(axis=0)).astype(int) - 12
        high = np.ceil(outline.max(axis=0)).astype(int) + 13
        self._box = (slice(low[1], high[1]), slice(low[0], high[0]))
        down, across = np.mgrid[self._box].astype(np.float64)
        self._mask = _inside(outline - low, down.shape)
        self._at = np.stack([across, down], axis=-1)
        part, inside = picture[self._box].astype(np.float64), self._mask[..., 0] > 0.9
        away = np.linalg.norm(self._at - self.centre, axis=-1) / self.radius
        self._rings = np.linspace(0.0, 1.25, 11)
        near = [inside & (np.abs(away - ring) < 0.1) for ring in self._rings]
        self._colours = np.array([np.median(part[n], axis=0) if n.any() else np.full(3, np.nan) for n in near])
        for channel in range(3):
            known = np.isfinite(self._colours[:, channel])
            self._colours[:, channel] = np.interp(self._rings, self._rings[known], self._colours[known, channel])
        self._white = self._whites(part, inside & (away > 1.25))
        self.contrast = float(self._white.mean() - self._colours[self._rings < 1].mean())

    def _whites(self, part: FloatArray, white: NDArray[np.bool_]) -> FloatArray:
        """The white of the eye all over it: from the median at its left to that at its right."""
        left, right = (white & (side * (self._at[..., 0] - self.centre[0]) > 0) for side in (-1, 1))
        found = [np.median(part[side if side.sum() > 3 else white], axis=0) for side in (left, right)]
        share = np.clip((self._at[..., 0] - self.centre[0]) / (4 * self.radius) + 0.5, 0, 1)[..., None]
        return (1 - share) * found[0] + share * found[1]

    def paint(self, picture: Picture, yaw: float, pitch: float, *, lids: bool) -> None:
        sines = np.sin(np.radians([yaw, pitch]))
        mask = self._moved_lids(picture, self.radius * DEPTH_MM / IRIS_MM * float(sines[1])) if lids else self._mask
        centre = self.centre + self.radius * DEPTH_MM / IRIS_MM * sines
        squeezed = np.sqrt(1 - sines**2)
        away = np.linalg.norm((self._at - centre) / squeezed, axis=-1) / self.radius
        disc = np.stack([np.interp(away, self._rings, self._colours[:, c]) for c in range(3)], axis=-1)
        iris = np.clip((1.12 - away) * self.radius / 1.5 + 0.5, 0, 1)[..., None]
        eye = self._white * (1 - iris) + disc * iris
        mixed = picture[self._box] * (1 - mask) + eye * mask
        picture[self._box] = np.clip(mixed, 0, 255).astype(np.uint8)

    def _moved_lids(self, picture: Picture, way: float) -> FloatArray:
        """Move the skin around the eye in the picture, and give the opening that is left."""
        import cv2

        upper, lower = self._outline[8:], self._outline[:9]  # from corner to corner; both hold the inner one
        (left, right), middle = np.sort(self._outline[[0, 8], 0]), self._outline[[0, 8], 1].mean()
        width = right - left

        def moved(across: FloatArray, down: FloatArray) -> FloatArray:
            """How far down a place goes: all the way at the lid, less towards corners, brow and cheek."""
            bump = np.clip(1 - ((across - (left + right) / 2) / (0.5 * width)) ** 2, 0, 1)
            edges = [np.interp(across, *lid[np.argsort(lid[:, 0])].T) for lid in (upper, lower)]
            share = np.clip((down - edges[0]) / np.maximum(edges[1] - edges[0], 1), 0, 1)
            fade = np.clip(1 - np.maximum(edges[0] - down, down - edges[1]) / (LID_REACH * width), 0, 1)
            return np.asarray(way * bump * fade * (LID_UPPER + share * (LID_LOWER - LID_UPPER)))

        reach = 1.5 * LID_REACH * width
        top, bottom = max(0, round(middle - reach)), round(middle + reach)
        down, across = np.mgrid[top:bottom, round(left) : round(right) + 1].astype(np.float64)
        source = down.copy()
        for _ in range(5):  # which place comes here
            source = down - moved(across, source)
        part = cv2.remap(picture, across.astype(np.float32), source.astype(np.float32), cv2.INTER_LINEAR)
        picture[top:bottom, round(left) : round(right) + 1] = part
        outline = self._outline + np.column_stack([np.zeros(16), moved(*self._outline.T)])
        return _inside(outline - self._at[0, 0], self._mask.shape[:2])


def _inside(outline: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Share of each pixel inside an outline, shape (height, width, 1)."""
    import cv2

    mask = np.zeros((16 * shape[0], 16 * shape[1]), np.uint8)
    cv2.fillPoly(mask, [np.round(16 * (outline + 0.5)).astype(np.int32)], 255)
    return np.asarray(cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_AREA)[..., None] / 255.0)


@dataclass(frozen=True, slots=True)
class Sitter:
    """Somebody whose eyes can be turned in a head that can be turned."""

    eyes: Eyes
    mesh: rendered.Mesh

    def picture(self, eye: tuple[float, float], head: float, *, about: str = "yaw", lids: bool = False) -> Picture:
        """Eyes turned in the head (yaw, pitch), with their lids or without, the head turned in space, degrees."""
        portrait = self.eyes.looking(*eye, lids=lids)
        return self.mesh.turned(rendered.rotation(about, head), away=rendered.AWAY, depth=1.0, portrait=portrait)


def main(arguments: Sequence[str]) -> None:
    """Measure what was named."""
    with FaceSearch(video_models().landmarker) as search:
        sitters = people(search)
        match list(arguments):
            case ["angles"]:
                angles(sitters, search)
            case ["pitch"]:
                pitch(sitters, search)
            case ["shifts", *seconds] if len(seconds) <= 1:
                shifts(sitters, float(seconds[0]) if seconds else 20.0)
            case _:
                raise SystemExit(__doc__)


def people(search: FaceSearch) -> list[Sitter]:
    """Of all faces at hand those whose open eyes show an iris in the white."""
    found = []
    for picture in rendered.faces(search):
        whole = np.ascontiguousarray(picture)
        face = search.anywhere(whole, tries=None)
        if face is not None and eye_aspect_ratio(face.points) >= OPEN:
            eyes = Eyes(whole, face.points)
            if eyes.contrast >= CONTRAST:
                found.append(Sitter(eyes, rendered.Mesh(whole, search)))
    return found


def angles(sitters: Sequence[Sitter], search: FaceSearch) -> None:
    """Every turn of the eyes in every turn of the head, against the eyes and the head ahead."""
    print(heading(f"Gaze of {len(sitters)} faces with painted irises"))
    print("| head, yaw | eyes, yaw, pitch | gaze found, yaw, pitch, median | error, mean | 95 % of errors below |")
    print("|---|---|---|---|---|")
    rest = [_gaze(search, s.picture((0.0, 0.0), 0.0)) for s in sitters]
    for head in HEADS:
        for eye in ((0.0, 0.0), *EYES) if head else EYES:
            found = np.array([_gaze(search, s.picture(eye, head)) for s in sitters]) - rest
            found = found[np.isfinite(found[:, 0])]
            off = np.hypot(*(found - (head + eye[0], eye[1])).T)
            middle = np.median(found, axis=0)
            print(
                f"| {head:g} | {eye[0]:g}, {eye[1]:g} | {middle[0]:.1f}, {middle[1]:.1f} | {off.mean():.1f}"
                f" | {np.quantile(off, 0.95):.1f} |",
                flush=True,
            )
    print()


def pitch(sitters: Sequence[Sitter], search: FaceSearch) -> None:
    """What the eyes' pitch in the head is read as, and what the landmarker's scores of looking down say."""
    print(heading(f"Pitch of the eyes of {len(sitters)} faces with painted irises and lids that follow"))
    print("| head, pitch | eyes, pitch | of the eyes found, median | least, most | scores down less up, least, most |")
    print("|---|---|---|---|---|")
    rest = np.array([_eyes_pitch(search, s.picture((0.0, 0.0), 0.0, about="pitch", lids=True)) for s in sitters])
    for head in HEADS:
        for eye in (-10.0, 0.0, 10.0) if head else (-10.0, 10.0):
            seen = [s.picture((0.0, eye), head, about="pitch", lids=True) for s in sitters]
            found = np.array([_eyes_pitch(search, picture) for picture in seen]) - rest
            found = found[np.isfinite(found[:, 0])]
            (low, low_score), (high, high_score) = found.min(axis=0), found.max(axis=0)
            print(
                f"| {head:g} | {eye:g} | {np.median(found[:, 0]):.1f} | {low:.1f}, {high:.1f}"
                f" | {low_score:.2f}, {high_score:.2f} |",
                flush=True,
            )
    print()


def _eyes_pitch(search: FaceSearch, picture: Picture) -> tuple[float, float]:
    face = search.anywhere(picture, tries=None)
    if face is None:
        return np.nan, np.nan
    down, up = (sum(face.shapes[f"eyeLook{way}{side}"] for side in ("Left", "Right")) / 2 for way in ("Down", "Up"))
    return eye_in_head(face.points, face.pose)[1], down - up


def _gaze(search: FaceSearch, picture: Picture) -> tuple[float, float]:
    face = search.anywhere(picture, tries=None)
    if face is None:
        return np.nan, np.nan
    pitch, yaw, _ = head_angles(face.pose)
    in_head = eye_in_head(face.points, face.pose)
    return float(yaw + EYE_GAIN * in_head[0]), float(pitch + EYE_GAIN * in_head[1])


def shifts(sitters: Sequence[Sitter], seconds: float) -> None:
    """Films of everybody, looked at as any recording."""
    print(heading(f"Shifts of gaze of {len(sitters)} faces with painted irises, {seconds:g} s each"))
    print("| by | true | of them found |\n|---|---|---|")
    kinds: dict[str, list[bool]] = {"eyes": [], "eyes and head": []}
    true, seen, spread = 0, 0, []
    for number, sitter in enumerate(sitters):
        script = Script.drawn(np.random.default_rng(number), seconds)
        with tempfile.TemporaryDirectory() as folder:
            film(Path(folder, "film.mp4"), sitter, script)
            config = VideoConfig(face_rate_hz=RATE_HZ, body_rate_hz=2.0, hand_rate_hz=1.0, flow_rate_hz=1.0)
            found = analyse_video(Path(folder, "film.mp4"), place=Place(), models=video_models(), config=config)
        events = [e.start_s for e in found[Role.PATIENT].events if e.kind == "gaze_shift"]
        true, seen = true + len(script.large), seen + len(events)
        for moment, by in script.large:
            near = [e for e in events if abs(e - moment) < NEAR_S]
            kinds[by].append(bool(near))
            if near:
                events.remove(min(near, key=lambda e, m=moment: abs(e - m)))  # type: ignore[misc]
        values = {m.biomarker: m.value for m in found[Role.PATIENT].measures if m.window.phase == "session"}
        spread.append((float(np.std(script.gaze)), values["gaze_yaw_sd"]))
    for by, hits in kinds.items():
        print(f"| {by} | {len(hits)} | {sum(hits)} |")
    hit = sum(map(sum, kinds.values()))
    print(f"\n{seen} found, {true} true, {hit} of them found: F1 {2 * hit / (true + seen):.3f}.")
    drawn, told = np.array([s for s in spread if s[1] is not None], dtype=float).T
    print(f"Spread of the gaze's yaw: drawn {drawn.mean():.1f}, found {told.mean():.1f} degrees in the mean.\n")


@dataclass(frozen=True, slots=True)
class Script:
    """Where somebody looks and how the head is turned at each frame, yaw in degrees, and the shifts among it."""

    gaze: FloatArray
    head: FloatArray
    large: list[tuple[float, str]]

    @classmethod
    def drawn(cls, rng: np.random.Generator, seconds: float) -> Script:
        """Looks of .8 to 2.5 s: a large shift by the eyes or by both, or a small step that is none."""
        times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        gaze, head = np.zeros(len(times)), 0.5 * sway(rng, times, 1.0)
        large, moment, place, turned = [], 1.0, 0.0, 0.0
        while (moment := moment + rng.uniform(0.8, 2.5)) < seconds - 1:
            is_large = rng.random() < 0.7
            step = rng.uniform(*(LARGE if is_large else SMALL)) * (-1 if rng.random() < 0.5 else 1)
            step = -step if abs(place + step) > REACH else step
            if abs(place + step) > REACH:
                continue
            with_head = is_large and rng.random() < 0.5
            gaze += step * np.clip((times - moment) / SACCADE_S, 0, 1)
            place += step
            if with_head:
                turn = 0.8 * place - turned
                head += turn * (0.5 - 0.5 * np.cos(np.pi * np.clip((times - moment) / HEAD_S, 0, 1)))
                turned += turn
            if is_large:
                large.append((moment, "eyes and head" if with_head else "eyes"))
        return cls(gaze, head, large)


def film(path: Path, sitter: Sitter, script: Script) -> None:
    """Draw and encode it."""
    import av

    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE_HZ, options={"crf": "18", "preset": "superfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 640, "yuv420p"
        for gaze, head in zip(script.gaze, script.head, strict=True):
            picture = sitter.picture((float(gaze - head), 0.0), float(head))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


if __name__ == "__main__":
    main(sys.argv[1:])
