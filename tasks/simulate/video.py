"""From a plan to a video file: one instant per frame, drawn and encoded one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cueflow.schemas.results import FloatArray
from cueflow.tasks.simulate.effects import Effects
from cueflow.tasks.simulate.head import Pose, sway
from cueflow.tasks.simulate.plan import Plan
from cueflow.tasks.simulate.portrait import Image
from cueflow.tasks.simulate.scene import Instant, Scene
from cueflow.tasks.simulate.slow import breathing, hand_path
from cueflow.tasks.simulate.talk import mouth_opening
from cueflow.tasks.simulate.timeline import Episode, blink_closure, raised, swings
from cueflow.tasks.simulate.voice import Samples

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

Shape: TypeAlias = Callable[[FloatArray, Episode], FloatArray]
TICKS = 90_000
_NOD_HZ, _SHAKE_HZ = 2.2, 1.8
_NOISE, _FRAMES, _SWAY = 20, 21, 22


def frame_times(plan: Plan) -> FloatArray:
    """Local times of the frames on the camera's clock.

    Parameters
    ----------
    plan : Plan
        With variable frame times: jitter of up to 15 % of a period, 2 % dropped frames and one hole of 7 frames.

    Returns
    -------
    ndarray, shape (n,)
        In s, whole ticks of 1/90,000 s, increasing, the first 0.
    """
    number = int(max(float(plan.clocks["camera"].local(plan.duration_s)), 0.2) * plan.fps)
    times = np.arange(number) / plan.fps
    if plan.variable_frame_times:
        rng = plan.rng(_FRAMES)
        times[1:] += rng.uniform(-0.15, 0.15, number - 1) / plan.fps
        keep = rng.random(number) > 0.02
        hole = int(rng.integers(number // 3, max(2 * number // 3, number // 3 + 1)))
        keep[hole : hole + 7] = False
        keep[0] = True
        times = times[keep]
    return np.round(times * TICKS) / TICKS


def _add(curve: FloatArray, times_s: FloatArray, episodes: Sequence[Episode], shape: Shape) -> FloatArray:
    """Add `value` × shape(times, episode) of every episode to a curve, touching only its own frames."""
    for episode in episodes:
        lo, hi = np.searchsorted(times_s, [episode.onset_s, episode.end_s])
        curve[lo:hi] += episode.value * shape(times_s[lo:hi], episode)
    return curve


def _camera_path(times_s: FloatArray, shifts: Sequence[Episode]) -> FloatArray:
    path = np.zeros(len(times_s))
    for shift in shifts:
        share = np.clip((times_s - shift.onset_s) / shift.duration_s, 0.0, 1.0)
        path += shift.value * (0.5 - 0.5 * np.cos(np.pi * share))
    path[np.abs(path) < 1e-6] = 0.0
    return path


def instants(plan: Plan, effects: Effects, session_s: FloatArray) -> Iterator[Instant]:
    """What every frame shows.

    Parameters
    ----------
    plan : Plan
        The session.
    effects : Effects
        Size of the sway.
    session_s : ndarray, shape (n,)
        Times of the frames on the session clock.

    Yields
    ------
    Instant
        In order of time.
    """
    zeros = np.zeros(len(session_s))

    def of(kind: str, name: str = "") -> list[Episode]:
        return [e for e in plan.behaviour if e.kind == kind and name in ("", e.name)]

    def plateau(ramp: float) -> Shape:
        return lambda t, e: raised(t, e.onset_s, e.duration_s, ramp)

    def swing(hz: float) -> Shape:
        return lambda t, e: swings(t, e.onset_s, e.duration_s, max(round(hz * e.duration_s), 1))

    rng = plan.rng(_SWAY)
    drift = [sway(rng, session_s, effects.sway_deg) for _ in range(3)]
    closure = _add(zeros.copy(), session_s, of("blink"), lambda t, e: blink_closure(t, e.onset_s, e.duration_s))
    smile = _add(zeros.copy(), session_s, of("smile"), plateau(0.3))
    opening = mouth_opening(plan.talk, "patient", session_s)
    pitch = _add(0.6 * drift[0], session_s, of("nod"), swing(_NOD_HZ))
    yaw = _add(drift[1], session_s, of("shake"), swing(_SHAKE_HZ))
    lean = _add(zeros.copy(), session_s, of("lean"), plateau(0.8))
    zoom = _add(zeros.copy(), session_s, of("zoom"), plateau(0.8))
    light = _add(zeros + 1.0, session_s, of("light"), plateau(0.5))
    there = _add(zeros.copy(), session_s, of("absent"), lambda t, _: np.ones(len(t))) < 0.5
    breath = breathing(session_s, plan.body.breaths, plan.body.depths)
    camera = [_camera_path(session_s, of("camera_shift", name)) for name in ("x", "y")]
    hands = [hand_path(session_s, of("hand_motion"), side) for side in ("left", "right")]
    for k in range(len(session_s)):
        yield Instant(
            closure=float(closure[k]),
            smile=float(smile[k]),
            opening=float(opening[k]),
            pose=Pose(float(pitch[k]), float(yaw[k]), 0.7 * float(drift[2][k]), float(lean[k]), float(breath[k])),
            hands=((hands[0][0][k], hands[0][1][k]), (hands[1][0][k], hands[1][1][k])),
            camera=(float(camera[0][k]), float(camera[1][k])),
            zoom=float(zoom[k]),
            light=float(light[k]),
            present=bool(there[k]),
        )


class _Sound:
    """Feeds a sound track to the muxer in step with the pictures."""

    def __init__(self, container: OutputContainer, sound: Samples, rate: int) -> None:
        self._container, self._rate, self._at = container, rate, 0
        self._stream: AudioStream = container.add_stream("aac", rate=rate, layout="mono")
        self._stream.bit_rate = 96_000
        self._samples = sound

    def until(self, seconds: float) -> None:
        """Encode what lies before a time."""
        import av

        while self._at < len(self._samples) and self._at < seconds * self._rate:
            block = np.zeros((1, 1024), np.float32)
            part = self._samples[self._at : self._at + 1024]
            block[0, : len(part)] = part
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = self._rate, self._at, Fraction(1, self._rate)
            self._container.mux(self._stream.encode(frame))
            self._at += 1024

    def finish(self) -> None:
        """Encode the rest."""
        self.until(np.inf)
        self._container.mux(self._stream.encode(None))


def encode(
    path: Path,
    frames: Iterator[Image],
    times_s: FloatArray,
    *,
    fps: float,
    sound: tuple[Samples, int] | None = None,
) -> None:
    """Write an H.264 file with the given time stamps, frame by frame.

    Parameters
    ----------
    path : Path
        The file to write.
    frames : iterator of ndarray
        Planar YUV 4:2:0, shape (height × 3 / 2, width), as many as `times_s`.
    times_s : ndarray, shape (n,)
        Presentation times, whole ticks of 1/90,000 s.
    fps : float
        Nominal rate.
    sound : tuple, optional
        Samples and rate of a mono track.
    """
    import av

    with av.open(str(path), "w") as container:
        stream: VideoStream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        track = _Sound(container, *sound) if sound is not None else None
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "superfast", "crf": "23", "bf": "0", "g": str(round(2 * fps))}
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, TICKS)
        for planes, time in zip(frames, times_s, strict=True):
            if stream.codec_context.width == 0 or not stream.codec_context.is_open:
                stream.width, stream.height = planes.shape[1], planes.shape[0] * 2 // 3
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(frame))
            if track is not None:
                track.until(float(time))
        container.mux(stream.encode(None))
        if track is not None:
            track.finish()


def write_video(path: Path, plan: Plan, effects: Effects, sound: tuple[Samples, int] | None = None) -> FloatArray:
    """Draw and write the video of a session; memory does not grow with its length.

    Parameters
    ----------
    path : Path
        The file to write.
    plan : Plan
        The session.
    effects : Effects
        Size, noise, sway.
    sound : tuple, optional
        Samples and rate of a sound track.

    Returns
    -------
    ndarray, shape (n,)
        Local times of the frames, s.
    """
    times = frame_times(plan)
    scene = Scene(
        look_seed=plan.subject.look_seed,
        room_seed=int(plan.rng(_NOISE).integers(2**31)),
        width=effects.width,
        height=effects.height,
        margin=int(effects.camera_shift_px * effects.width / 640.0) + 4,
        noise=effects.still_pixel_noise,
    )
    shown = instants(plan, effects, plan.clocks["camera"].session(times))
    encode(path, (scene.draw(instant) for instant in shown), times, fps=plan.fps, sound=sound)
    return times
