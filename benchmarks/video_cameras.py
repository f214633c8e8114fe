"""How far another camera moves a value: the same scene at other frame rates, sizes and light.

python benchmarks/video_cameras.py [VIDEO]            # default: one minute that the simulator films at 60 frames/s
python benchmarks/video_cameras.py rates [VIDEO ...]  # other frame rates; default: minutes of two simulated people

Another frame rate is made out of the recording itself: of its frames those nearest to an even grid are kept, with their
own time stamps. 25 does not divide 60, so at 25 frames/s they come 33 and 50 ms apart.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from measure import heading
from numpy.typing import NDArray

from cueflow.flows.work.stages import video_models
from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.config import VideoConfig
from cueflow.schemas.results import FloatArray
from cueflow.schemas.session import Role
from cueflow.tasks.simulate.cohort import simulate
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.video.analyse import Place, analyse_video

Picture = NDArray[np.uint8]
Change = Callable[[Picture], Picture]
AS_FILMED = "as filmed"
SEEDS = (5, 7)  # of the simulated minutes: nothing was chosen on them
PAL_HZ, LEAST_HZ = 25.0, 20.0
TICK = Fraction(1, 90_000)
NEAR, RESOLUTION, FURTHEST = 0.05, 0.005, 8
SHOWN = (
    "face_blink_rate", "face_smile_rate", "head_nod_rate", "head_shake_rate", "head_pitch_sd", "head_yaw_sd",
    "head_speed_mean", "face_mouth_open_mean", "motion_energy_mean", "motion_still_share", "body_visible_share",
)  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Film, vary, compare."""
    rates_only, given = arguments[:1] == ["rates"], [Path(a) for a in arguments if a != "rates"]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        videos = given or [_simulated(scratch, seed) for seed in (SEEDS if rates_only else SEEDS[:1])]
        found = [_scene(video, scratch, rates_only=rates_only) for video in videos]
        minutes = min(map(_minutes, videos))
    print(heading(f"The same scene before other cameras, scenes: {len(videos)}"))
    for scene in found:
        _tell(scene, minutes)
    if rates_only:
        _tell_far(found, minutes)


def _scene(video: Path, scratch: Path, *, rates_only: bool) -> dict[str, dict[str, float]]:
    """Values of the recording as it is, and of each variant of it."""
    rate = _rate(video)
    found = {AS_FILMED: _values(video, rate)}
    for name, to_hz, change in _variants(rate, rates_only=rates_only):
        made = _vary(video, scratch / "varied.mp4", to_hz=to_hz, change=change)
        found[f"{to_hz:.0f} frames/s, {name}" if name else f"{to_hz:.0f} frames/s"] = _values(made, rate)
    return found


def _variants(rate: float, *, rates_only: bool) -> list[tuple[str, float, Change]]:
    """Name, frame rate and change of the picture of what another camera would have seen."""
    half = rate / 2 if rate / 2 >= LEAST_HZ else rate
    slower = [("", hz, _same) for hz in (half, PAL_HZ) if hz < rate]
    again = ("encoded again", rate, _same)
    others = [("half the size", _sized(0.5)), ("further away", _further), ("less light", _darker)]
    return [again, *slower, *([] if rates_only else [(name, half, change) for name, change in others])]


def _simulated(scratch: Path, seed: int) -> Path:
    effects = Effects(modalities=("video",), fps_choices=(60.0,), variable_frame_times=False, missing_share=0.0)
    simulate(scratch / f"cohort-{seed}", sessions=1, minutes=1.0, seed=seed, effects=effects)
    return scratch / f"cohort-{seed}" / "s001" / "video.mp4"


def _rate(video: Path) -> float:
    import av

    with av.open(str(video)) as file:
        return float(file.streams.video[0].average_rate or 30)


def _same(picture: Picture) -> Picture:
    return picture


def _sized(share: float) -> Change:
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


def _nearest(times_s: FloatArray, to_hz: float) -> frozenset[int]:
    """Indices of the frames that are nearest to an even grid."""
    grid = np.arange(times_s[0], times_s[-1] + 0.5 / to_hz, 1 / to_hz)
    return frozenset(np.abs(times_s[:, None] - grid).argmin(axis=0).tolist())


def _vary(video: Path, to: Path, *, to_hz: float, change: Change) -> Path:
    """The recording at another frame rate, every frame kept with its own stamp, changed and encoded again."""
    import av

    with av.open(str(video)) as file:
        stamps = np.sort([float(p.pts * p.time_base) for p in file.demux(video=0) if p.pts is not None])
    kept = _nearest(stamps, to_hz)
    with av.open(str(video)) as old, av.open(str(to), "w") as new:
        stream = new.add_stream("libx264", rate=Fraction(to_hz).limit_denominator(1001))
        stream.options, stream.pix_fmt = {"crf": "18"}, "yuv420p"
        stream.time_base = stream.codec_context.time_base = TICK
        for number, shown in enumerate(old.decode(video=0)):
            if number not in kept:
                continue
            made = change(shown.to_ndarray(format="rgb24"))
            if not stream.codec_context.is_open:
                stream.height, stream.width = made.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(made), format="rgb24")
            frame.time_base = TICK
            frame.pts = round(float(shown.time) / TICK)
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
    shown = [name for name in SHOWN if name in found[AS_FILMED]]
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
    for variant in list(found)[1:]:
        both = _both(found, variant)
        off = {n: abs(b / a - 1) for n, (a, b) in both.items()}
        agrees = {n: _agrees(n, a, b, minutes) for n, (a, b) in both.items()}
        far = sorted((n for n in off if not agrees[n]), key=lambda n: -off[n])[:FURTHEST]
        cells = (np.mean([x <= NEAR for x in off.values()]), np.mean(list(agrees.values())),
                 np.mean([x <= 0.2 for x in off.values()]))  # fmt: skip
        rest = ", ".join(f"{n} {both[n][0]:.3g} → {both[n][1]:.3g}" for n in far)
        lost = sum(n not in found[variant] for n in found[AS_FILMED])
        print(f"| {variant} | {len(off)} | {' | '.join(f'{share:.2f}' for share in cells)} | {lost} | {rest} |")
    print(flush=True)


def _tell_far(scenes: list[dict[str, dict[str, float]]], minutes: float) -> None:
    """Every biomarker that is beyond 5 % in a scene, at each frame rate."""
    variants = list(scenes[0])[1:]
    pairs = {variant: [_both(found, variant) for found in scenes] for variant in variants}
    beyond = sorted({n for of in pairs.values() for both in of for n, (a, b) in both.items() if abs(b / a - 1) > NEAR})
    print("Every biomarker that is beyond 5 % in some scene; × where it is beyond the absolute tolerance, too.\n")
    print(f"| biomarker | {' | '.join(variants)} |\n|---{'|---' * len(variants)}|")
    for name in beyond:
        cells = [
            ", ".join(f"{a:.3g} → {b:.3g}{'' if _agrees(name, a, b, minutes) else ' ×'}" for a, b in
                      (both[name] for both in pairs[variant] if name in both))
            for variant in variants
        ]  # fmt: skip
        print(f"| {name} | {' | '.join(cells)} |")
    print()


def _both(found: dict[str, dict[str, float]], variant: str) -> dict[str, tuple[float, float]]:
    """Values as filmed and in a variant, of what has one in both and is not 0."""
    filmed, varied = found[AS_FILMED], found[variant]
    return {n: (v, varied[n]) for n, v in filmed.items() if n in varied and abs(v) > 1e-9}


def _agrees(name: str, filmed: float, varied: float, minutes: float) -> bool:
    return abs(varied / filmed - 1) <= NEAR or abs(varied - filmed) <= _resolution(name, minutes)


def _resolution(name: str, minutes: float) -> float:
    """What a value is not told apart by: one event more or less, or a small part of what is plausible."""
    declared = BIOMARKERS[name]
    low, high = declared.plausible
    return 1.01 / minutes if declared.unit == "1/min" else RESOLUTION * (high - low)


if __name__ == "__main__":
    main(sys.argv[1:])
