"""How far another camera moves a value: the same scene at other frame rates, sizes and light.

python benchmarks/video_cameras.py [VIDEO]        # default: one minute that the simulator films at 60 frames/s
python benchmarks/video_cameras.py rates [VIDEO]  # every second frame only
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from measure import heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.session import Role
from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.video.analyse import Place, analyse_video

Picture = NDArray[np.uint8]
NEAR, RESOLUTION, FURTHEST = 0.05, 0.005, 8
SHOWN = (
    "face_blink_rate", "face_smile_rate", "head_nod_rate", "head_shake_rate", "head_pitch_sd", "head_yaw_sd",
    "head_speed_mean", "face_mouth_open_mean", "motion_energy_mean", "motion_still_share", "body_visible_share",
)  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Film, vary, compare."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rates_only, arguments = arguments[:1] == ["rates"], [a for a in arguments if a != "rates"]
        video = Path(arguments[0]) if arguments else _simulated(scratch)
        rate = _rate(video)
        variants: dict[str, Path] = {"as filmed": video}
        for name, keep, change in _VARIANTS[1:2] if rates_only else _VARIANTS:
            if rate / keep < 20:
                continue
            variants[f"{rate / keep:.0f} frames/s, {name}"] = _vary(
                video, scratch / f"{len(variants)}.mp4", keep=keep, change=change
            )
        found = {name: _values(path, rate) for name, path in variants.items()}
        minutes = _minutes(video)
    _tell(found, minutes)


def _simulated(scratch: Path) -> Path:
    effects = Effects(modalities=("video",), fps_choices=(60.0,), variable_frame_times=False, missing_share=0.0)
    simulate(scratch / "cohort", sessions=1, minutes=1.0, seed=5, effects=effects)
    return scratch / "cohort" / "s001" / "video.mp4"


def _rate(video: Path) -> float:
    import av

    with av.open(str(video)) as file:
        return float(file.streams.video[0].average_rate or 30)


def _same(picture: Picture) -> Picture:
    return picture


def _sized(share: float) -> Callable[[Picture], Picture]:
    import cv2

    def sized(picture: Picture) -> Picture:
        height, width = (2 * round(share * side / 2) for side in picture.shape[:2])
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))

    return sized


def _further(picture: Picture) -> Picture:
    """The scene in the middle of a grey frame, as from half as far again."""
    small = _sized(2 / 3)(picture)
    frame = np.full_like(picture, 128)
    top, left = ((whole - part) // 2 for whole, part in zip(picture.shape[:2], small.shape[:2], strict=True))
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return frame


def _darker(picture: Picture) -> Picture:
    return (picture * 0.6).astype(np.uint8)


_VARIANTS = (
    ("encoded again", 1, _same),
    ("every second frame", 2, _same),
    ("half the size", 2, _sized(0.5)),
    ("further away", 2, _further),
    ("less light", 2, _darker),
)


def _frames(video: Path, keep: int) -> Iterator[tuple[Picture, float]]:
    import av

    with av.open(str(video)) as file:
        for number, frame in enumerate(file.decode(video=0)):
            if number % keep == 0:
                yield frame.to_ndarray(format="rgb24"), float(frame.time)


def _vary(video: Path, to: Path, *, keep: int, change: Callable[[Picture], Picture]) -> Path:
    import av

    with av.open(str(video)) as old:
        rate = Fraction(old.streams.video[0].average_rate or 30) / keep
    with av.open(str(to), "w") as new:
        stream = new.add_stream("libx264", rate=rate)
        stream.options, stream.pix_fmt = {"crf": "18"}, "yuv420p"
        for picture, time in _frames(video, keep):
            made = change(picture)
            if not stream.codec_context.is_open:
                stream.height, stream.width = made.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(made), format="rgb24")
            frame.time_base = Fraction(1, 90_000)
            frame.pts = round(time * 90_000)
            new.mux(stream.encode(frame))
        new.mux(stream.encode())
    return to


def _values(video: Path, rate: float) -> dict[str, float]:
    config = VideoConfig(face_rate_hz=max(30.0, min(rate, 120.0)))
    found = analyse_video(video, place=Place(), models=video_models(), config=config)[Role.PATIENT]
    return {m.biomarker: m.value for m in found.measures if m.window.phase == "session" and m.value is not None}


def _minutes(video: Path) -> float:
    import av

    with av.open(str(video)) as file:
        return float(file.duration or 0) / av.time_base / 60


def _tell(found: dict[str, dict[str, float]], minutes: float) -> None:
    first, *others = found
    print(heading("One scene, several cameras"))
    shown = [name for name in SHOWN if name in found[first]]
    print(f"| biomarker | {' | '.join(found)} |\n|---{'|---' * len(found)}|")
    for name in shown:
        cells = (f"{values[name]:.3g}" if name in values else "–" for values in found.values())
        print(f"| {name} | {' | '.join(cells)} |")
    print(
        "\nDifference from the recording as filmed, over all biomarkers: relative, and where the value is small,"
        f" absolute: one event of a rate, or {RESOLUTION:.1%} of the plausible span.\n"
    )
    print(
        "| recording | biomarkers | within 5 % | within 5 % or absolute | within 20 % | lost | furthest of the rest |"
    )
    print("|---|---|---|---|---|---|---|")
    reference = {name: value for name, value in found[first].items() if abs(value) > 1e-9}
    for variant in others:
        both = {n: (v, found[variant][n]) for n, v in reference.items() if n in found[variant]}
        off = {n: abs(b / a - 1) for n, (a, b) in both.items()}
        agrees = {n: off[n] <= NEAR or abs(b - a) <= _resolution(n, minutes) for n, (a, b) in both.items()}
        far = sorted((n for n in off if not agrees[n]), key=lambda n: -off[n])[:FURTHEST]
        cells = (np.mean([x <= NEAR for x in off.values()]), np.mean(list(agrees.values())),
                 np.mean([x <= 0.2 for x in off.values()]))  # fmt: skip
        rest = ", ".join(f"{n} {both[n][0]:.3g} → {both[n][1]:.3g}" for n in far)
        print(
            f"| {variant} | {len(off)} | {' | '.join(f'{share:.2f}' for share in cells)} |"
            f" {len(reference) - len(off)} | {rest} |"
        )


def _resolution(name: str, minutes: float) -> float:
    """What a value is not told apart by: one event more or less, or a small part of what is plausible."""
    declared = BIOMARKERS[name]
    low, high = declared.plausible
    return 1.01 / minutes if declared.unit == "1/min" else RESOLUTION * (high - low)


if __name__ == "__main__":
    main(sys.argv[1:])
