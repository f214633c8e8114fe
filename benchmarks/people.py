"""How much of the time the right person is seen, in films of several people with cuts, leavings and re-entries.

python benchmarks/people.py presence [FILMS]   # the clip of five signers, then FILMS drawn scenes of three; default 2

Truth is who is in the picture at each frame, and where: in the clip of signers by its borders, in a drawn scene by its
script. Real clips of nine people play there, forwards and backwards, in seats before a wall: they sit, leave, come back
into another seat, walk past each other, and the camera cuts to one alone. Each in turn is the patient whom a photograph
(a frame of the same clip) names; where there is no face to be found in a clip's frame, the frame counts for nobody.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from measure import DATA, heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.config import PersonRule, VideoConfig
from cueflow.schemas.results import FloatArray
from cueflow.tasks.video.decode import Decoder
from cueflow.tasks.video.follow import Tracks, follow
from cueflow.tasks.video.people.detect import FaceDetector
from cueflow.tasks.video.people.reference import reference_numbers
from cueflow.tasks.video.people.roles import appearances, choose

Picture = NDArray[np.uint8]
SIGNERS = {"again": 0, "no": 0, "book": 1, "school": 1, "eat": 2, "hungry": 3, "want": 3, "milk": 4, "sorry": 4,
           "thanks": 4}  # fmt: skip
CLIPS = ("video_rppg/evm_face.mp4", "video_face/single_face.mp4", "video_face/carphone_pristine.mp4",
         "video_gesture/pose_format_test_video.mp4", *(f"video_gesture/asl_intel/{w}.mkv" for w in
         ("again", "school", "eat", "want", "sorry")))  # fmt: skip
RATE_HZ, SECONDS = 25, 40.0
HEIGHT, WIDTH, TALL = 540, 960, 300  # of the picture, and side of a seat's square
SEATS = (0, (WIDTH - TALL) // 2, WIDTH - TALL)
ALONE, ALONE_AT = 480, (WIDTH - 480) // 2  # a cut to one alone shows them larger
EDGE = 0.2  # the nose is in the square, further from its edges than this share
CLIP_FRAMES = 75  # of a clip are played, forwards and backwards
AROUND = 2.6  # side of the square in heights of the face
SCENE_S, WALK_S = (3.0, 8.0), 1.2


@dataclass(frozen=True, slots=True)
class Truth:
    """Of one person: `there` (n,), whether a face is to be seen, and its square: `left`, `side` (n,) of `width`."""

    there: NDArray[np.bool_]
    left: FloatArray
    side: FloatArray
    width: float = WIDTH


def main(arguments: Sequence[str]) -> None:
    """Measure what was named."""
    if arguments[:1] != ["presence"] or len(arguments) > 2:
        raise SystemExit(__doc__)
    films = int(arguments[1]) if len(arguments) > 1 else 2
    print(heading("Presence of the right person"))
    print("| film | person | frames there | with the right person | with somebody else, of the frames with a value |")
    print("|---|---|---|---|---|")
    _tell("five signers, nine cuts", *_signers())
    with tempfile.TemporaryDirectory() as folder:
        actors = [Actor(DATA / clip) for clip in CLIPS]
        every = np.zeros(4)
        for seed in range(1, films + 1):  # 0 was looked at when persons were joined
            path = Path(folder, f"{seed}.mp4")
            every += _tell(f"drawn {seed}", *drawn(path, actors, np.random.default_rng(seed)))
    if films:
        right, there, wrong, valued = every
        print(f"\nAll drawn films: right {right / there:.4f} of {there:.0f}, wrong {wrong / valued:.4f}.\n")


def _tell(name: str, path: Path, truth: dict[str, Truth], photos: dict[str, Picture]) -> FloatArray:
    """One row a person; the sums of its numbers."""
    models = video_models()
    config = VideoConfig(face_rate_hz=60.0, body_rate_hz=2.0, hand_rate_hz=1.0, flow_rate_hz=1.0)
    tracks = follow(path, models=models, config=config, decoder=Decoder.AV, progress=lambda _: None)
    sums = np.zeros(4)
    for who, there in truth.items():
        with tempfile.TemporaryDirectory() as folder:
            photo = Path(folder, "photo.png")
            cv2.imwrite(str(photo), photos[who])
            numbers = reference_numbers(photo, models)
        right, wrong, valued = _compared(tracks, numbers, truth, who)
        number = int(there.there.sum())
        sums += right, number, wrong, valued
        print(f"| {name} | {who} | {number} | {right / number:.3f} | {wrong / max(valued, 1):.3f} |", flush=True)
    return sums


def _compared(tracks: Tracks, numbers: FloatArray | None, truth: dict[str, Truth], who: str) -> tuple[int, int, int]:
    """Frames in which the chosen track shows the person, in which it shows somebody else, in which it has a face."""
    found = [a for a in appearances(tracks.sightings) if a.person in tracks.people]
    chosen, _ = choose(found, tracks.persons, rule=PersonRule.MOST_PRESENT, reference=numbers)
    if chosen is None or numbers is None:
        return 0, 0, 0
    face = tracks.people[chosen.person].face
    owner = np.full(len(face.times_s), -1)
    for index, one in enumerate(truth.values()):  # the last is before the others
        x = face["nose_x"] * one.width
        owner[(x >= one.left + EDGE * one.side) & (x < one.left + (1 - EDGE) * one.side)] = index
    own = list(truth).index(who)
    right = (owner == own) & truth[who].there
    return int(right.sum()), int((face.visible & (owner != own)).sum()), int(face.visible.sum())


def _signers() -> tuple[Path, dict[str, Truth], dict[str, Picture]]:
    """The clip of five signers, in which one is there at a time, and a photograph of each."""
    folder = DATA / "video_temporal"
    rows = list(csv.DictReader((folder / "asl_sequence_labels.csv").open()))
    number = max(int(row["end_frame"]) for row in rows)
    who = np.zeros(number, dtype=np.int64)
    for row in rows:
        who[int(row["start_frame"]) : int(row["end_frame"])] = SIGNERS[row["label"]]
    pictures = _read(folder / "asl_sequence.mp4")
    width = float(pictures[0].shape[1])
    side = np.full(number, 2 * width)
    truth = {f"signer {i}": Truth(who == i, np.where(who == i, -width / 2, width), side, width) for i in range(5)}
    return folder / "asl_sequence.mp4", truth, {f"signer {i}": pictures[int(np.argmax(who == i))] for i in range(5)}


def _read(path: Path, most: int | None = None) -> list[Picture]:
    film, found = cv2.VideoCapture(str(path)), []
    while most is None or len(found) < most:
        read, picture = film.read()
        if not read:
            break
        found.append(np.asarray(picture, dtype=np.uint8))
    return found


class Actor:
    """Somebody of a real clip, cut to a square around the face, played forwards and backwards."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        pictures = _read(path, CLIP_FRAMES)
        with FaceDetector(video_models().detector) as detect:
            boxes = [detect(np.ascontiguousarray(p[..., ::-1])) for p in pictures]
        seen = [b[0] for b in boxes if b]
        side = round(AROUND * float(np.median([s.side for s in seen])))
        middle = np.median([s.centre for s in seen], axis=0)
        left, top = (round(v - side / 2) for v in middle)
        self._faces = [bool(b) for b in boxes]
        self._pictures = [self._cut(p, left, top, side) for p in pictures]
        self.photo = self._pictures[next(i for i, b in enumerate(boxes) if b)]

    @staticmethod
    def _cut(picture: Picture, left: int, top: int, side: int) -> Picture:
        wide = cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_REPLICATE)
        return np.asarray(cv2.resize(wide[top + side : top + 2 * side, left + side : left + 2 * side], (ALONE, ALONE)))

    def at(self, frame: int) -> tuple[Picture, bool]:
        """The square at a frame of the film, and whether the detector sees a face in the clip there."""
        period = 2 * len(self._pictures) - 2
        index = min(frame % period, period - frame % period)
        return self._pictures[index], self._faces[index]


def drawn(
    path: Path, actors: Sequence[Actor], rng: np.random.Generator
) -> tuple[Path, dict[str, Truth], dict[str, Picture]]:
    """Draw a scene of three of them: who sits where changes every few seconds, by a cut or by walking."""
    cast = [actors[i] for i in rng.choice(len(actors), 3, replace=False)]
    number = round(SECONDS * RATE_HZ)
    left, side = np.full((3, number), float(WIDTH)), np.full((3, number), float(TALL))
    at, seats = 0, np.array([SEATS[i] for i in rng.permutation(3)], dtype=np.float64)
    while at < number:
        length = round(rng.uniform(*SCENE_S) * RATE_HZ)
        left[:, at : at + length], side[:, at : at + length] = seats[:, None], TALL
        kind = rng.choice(["walk", "cut", "alone", "leave"], p=[0.35, 0.25, 0.2, 0.2])
        if kind == "alone":
            one = int(rng.integers(3))
            left[:, at : at + length] = WIDTH
            left[one, at : at + length], side[one, at : at + length] = ALONE_AT, ALONE
        at += length
        new = np.array([SEATS[i] for i in rng.permutation(3)], dtype=np.float64)
        if kind == "leave":
            new[int(rng.integers(3))] = WIDTH
        if kind in {"walk", "leave"} and at < number:
            way = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, round(WALK_S * RATE_HZ)))[: number - at]
            left[:, at : at + len(way)] = seats[:, None] + (new - seats)[:, None] * way
            at += len(way)
        seats = new
    truth = _film(path, cast, left[:, :number], side[:, :number])
    return path, truth, {a.name: a.photo for a in cast}


def _film(path: Path, cast: Sequence[Actor], left: FloatArray, side: FloatArray) -> dict[str, Truth]:
    """Encode it; who is covered by somebody before them is not there."""
    import av

    there = np.zeros(left.shape, dtype=bool)
    wall = np.full((HEIGHT, WIDTH, 3), (150, 160, 165), np.uint8)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE_HZ, options={"crf": "18", "preset": "superfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in range(left.shape[1]):
            picture = wall.copy()
            places = [(round(left[i, frame]), round(side[i, frame])) for i in range(len(cast))]
            for who, (x, size) in zip(cast, places, strict=True):
                square, _ = who.at(frame)
                shown = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)[:, : max(0, WIDTH - x)]
                if shown.shape[1]:
                    picture[HEIGHT - size :, x : x + shown.shape[1]] = shown
            for i, (x, size) in enumerate(places):
                middle = (x + EDGE * size, x + (1 - EDGE) * size)  # the face's part of the square
                free = not any(o < middle[1] and o + s > middle[0] for o, s in places[i + 1 :])
                there[i, frame] = cast[i].at(frame)[1] and middle[1] <= WIDTH and free
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        file.mux(stream.encode())
    return {a.name: Truth(there[i], left[i], side[i]) for i, a in enumerate(cast)}


if __name__ == "__main__":
    main(sys.argv[1:])
