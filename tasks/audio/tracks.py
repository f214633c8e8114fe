"""One pass over the recording: samples go by, tracks of 10 ms frames and marks of glottal cycles stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.audio.geneva.contours import descriptors
from cueflow.tasks.audio.geneva.frames import LowLevel, low_level
from cueflow.tasks.audio.quality.cepstrum import peak_prominence
from cueflow.tasks.audio.quality.formants import formant_tracks
from cueflow.tasks.audio.quality.glottal import first_harmonics, glottal_to_noise
from cueflow.tasks.audio.quality.harmonicity import harmonicity
from cueflow.tasks.audio.quality.periods import Cycles, find_cycles
from cueflow.tasks.audio.quality.perturbation import change_per_frame
from cueflow.tasks.audio.quality.pitch import track_pitch
from cueflow.tasks.audio.signal.held import Voicing
from cueflow.tasks.audio.signal.level import clipped_samples, frame_power, gone_samples
from cueflow.tasks.audio.signal.recorder import RecorderMeter
from cueflow.tasks.audio.signal.spectrum import SpectralFrames, spectral_frames
from cueflow.tasks.audio.signal.stream import CONTEXT, FRAME_S, HOP, RATE_HZ, Chunk, chunks
from cueflow.tasks.audio.signal.vad import Leveller, VoiceDetector, on_frames
from cueflow.tasks.audio.talk.embedding import PrintCollector, Prints, SpeakerEncoder
from cueflow.tasks.audio.talk.segmentation import LocalTalk, SegmentationCollector

F32 = NDArray[np.float32]

_NO_SAMPLES = "the recording holds less than 10 ms of sound: check its export"
_SPEECH_LIKE = 0.5  # probability from which on a frame's sound goes into a voice print
_LEAD = 50  # frames of context in which the path of the pitch settles
_LONG = 960  # samples of the longest window that starts on a frame
_MENDED = 16  # samples of a frame that may be missing: with more of them filled in, it was not recorded
_REACH = 3  # frames on either side of such a one that its windows reach


@dataclass(frozen=True, slots=True)
class VoiceModels:
    """Files of the networks: `silero_vad_16k_sequence.onnx`, `speaker_encoder.safetensors`, `segmentation-3.0.onnx`."""

    activity: Path
    speakers: Path
    segmentation: Path


@dataclass(frozen=True, slots=True)
class FrameTracks:
    """Tracks of n frames.

    `power` re full scale²; `clipped` and `gone` samples in the frame; `f0_hz`, `hnr_db`, `cpp_db`, `cpps_db`,
    `h1_h2_db` (n,) and `formants_hz` (n, 4), NaN where unvoiced; `gne` (n,) the glottal-to-noise excitation
    ratio of every second voiced frame, else NaN.
    """

    power: F32
    clipped: NDArray[np.uint8]
    gone: NDArray[np.uint8]
    f0_hz: F32
    hnr_db: F32
    cpp_db: F32
    cpps_db: F32
    h1_h2_db: F32
    gne: F32
    formants_hz: F32


_T = TypeVar("_T", FrameTracks, SpectralFrames, LowLevel)


@dataclass(frozen=True, slots=True)
class Tracks:
    """What is kept of a recording. Frame i lasts from i to i + 1 hundredths of a second after the first sample.

    `probability` (n,) of speech; `geneva` the descriptors of eGeMAPS;
    `cycles` the marks of glottal cycles in s after the first sample, with a NaN mark
    wherever two pieces meet that were searched apart; `prints` the voice prints of windows with speech; `local` who
    speaks within windows of 10 s;
    `meter` what its spectra say of the recorder.
    """

    probability: F32
    frames: FrameTracks
    spectra: SpectralFrames
    geneva: LowLevel
    cycles: Cycles
    prints: Prints
    local: LocalTalk
    meter: RecorderMeter

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Middles of the frames, s after the first sample, shape (n,)."""
        return np.asarray((np.arange(len(self.probability)) + 0.5) * FRAME_S, dtype=np.float64)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Frames that were not recorded, or whose windows reach such ones, shape (n,)."""
        return _lost(self.frames.gone)

    @property
    def voicing(self) -> Voicing:
        """By what voices are told from other tones."""
        f = self.frames
        jitter = change_per_frame(self.cycles.times_s, n_frames=len(f.power), frame_s=FRAME_S)
        return Voicing(f.f0_hz, f.power, f.h1_h2_db, f.hnr_db, f.cpps_db, f.gne, jitter)


def measure_tracks(
    blocks: Iterable[NDArray[np.float32]],
    *,
    models: VoiceModels,
    f0_floor_hz: float,
    f0_ceiling_hz: float,
    progress: Callable[[float], None] | None = None,
) -> Tracks:
    """Everything that needs the samples, in one pass.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n,)
        Mono samples at 16 kHz, in -1 to 1.
    models : VoiceModels
        The networks.
    f0_floor_hz, f0_ceiling_hz : float
        Range of pitch looked for.
    progress : callable, optional
        Told the seconds of audio done, after every chunk.

    Returns
    -------
    Tracks
        About 200 bytes a frame: 75 MB an hour.

    Raises
    ------
    StreamError
        If the blocks hold less than one frame.

    Notes
    -----
    ModelError is raised where the network cannot be used.
    """
    detector, leveller = VoiceDetector(models.activity), Leveller()
    collector, meter = PrintCollector(SpeakerEncoder(models.speakers)), RecorderMeter()
    segmentation = SegmentationCollector(models.segmentation)
    probabilities: list[F32] = []
    frames, spectra, geneva = _Columns(), _Columns(), _Columns()
    cycles: list[Cycles] = []
    for chunk in chunks(blocks):
        probabilities.append(detector.feed(leveller(chunk.core)))
        segmentation.feed(chunk.core)
        if chunk.n_frames:
            tracks, marks = _frame_tracks(chunk, floor_hz=f0_floor_hz, ceiling_hz=f0_ceiling_hz, peak=leveller.level)
            frames.add(tracks)
            cycles.append(marks)
            spectra.add(spectral_frames(chunk.samples, n_frames=chunk.n_frames))
            geneva.add(_geneva(chunk))
            likely = on_frames(probabilities[-1], chunk.n_frames) >= _SPEECH_LIKE
            collector.feed(chunk.samples, likely, _lost(tracks.gone), lead=CONTEXT)
            meter.feed(chunk.core, chunk.raw[~chunk.gone])
        if progress is not None:
            progress((chunk.first_frame * HOP + len(chunk.raw)) / RATE_HZ)
    if frames.empty:
        raise StreamError(_NO_SAMPLES, reason=Reason.NO_AUDIO_SAMPLES)
    probabilities.append(detector.finish())
    joined = frames.joined(FrameTracks)
    return Tracks(
        probability=on_frames(np.concatenate(probabilities), len(joined.power)),
        frames=joined,
        spectra=spectra.joined(SpectralFrames),
        geneva=geneva.joined(LowLevel),
        cycles=_apart(cycles),
        prints=collector.prints(),
        local=segmentation.finish(),
        meter=meter,
    )


def measure_contours(
    blocks: Iterable[NDArray[np.float32]], *, progress: Callable[[float], None] | None = None
) -> dict[str, NDArray[np.float64]]:
    """The 25 low-level descriptors of eGeMAPS every 10 ms, over the whole recording and not only over speech.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n,)
        Mono samples at 16 kHz, in -1 to 1.
    progress : callable, optional
        Told the seconds of audio done, after every chunk.

    Returns
    -------
    dict
        Arrays of shape (n,) by published name; frame i begins i hundredths of a second after the first sample. NaN
        where nothing was recorded.

    Raises
    ------
    StreamError
        If the blocks hold less than one frame.
    """
    geneva, gone = _Columns(), [np.empty(0, dtype=np.uint8)]
    for chunk in chunks(blocks):
        if chunk.n_frames:
            geneva.add(_geneva(chunk))
            gone.append(gone_samples(chunk.gone, n_frames=chunk.n_frames))
        if progress is not None:
            progress((chunk.first_frame * HOP + len(chunk.raw)) / RATE_HZ)
    if geneva.empty:
        raise StreamError(_NO_SAMPLES, reason=Reason.NO_AUDIO_SAMPLES)
    lost = _lost(np.concatenate(gone))
    return {name: np.where(lost, np.nan, values) for name, values in descriptors(geneva.joined(LowLevel)).items()}


def _lost(gone: NDArray[np.uint8]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(gone > _MENDED, iterations=_REACH))


def _frame_tracks(chunk: Chunk, *, floor_hz: float, ceiling_hz: float, peak: float) -> tuple[FrameTracks, Cycles]:
    n = chunk.n_frames
    f0 = track_pitch(chunk.samples, n_frames=n, floor_hz=floor_hz, ceiling_hz=ceiling_hz, peak=peak).f0_hz
    marks = find_cycles(chunk.samples, f0, peak=peak)
    voiced = np.isfinite(f0)
    prominence = peak_prominence(chunk.samples, voiced)
    tracks = FrameTracks(
        power=frame_power(chunk.core, n_frames=n),
        clipped=clipped_samples(chunk.raw, n_frames=n),
        gone=gone_samples(chunk.gone, n_frames=n),
        f0_hz=f0,
        hnr_db=harmonicity(chunk.samples, voiced, floor_hz=floor_hz),
        cpp_db=prominence[0],
        cpps_db=prominence[1],
        h1_h2_db=first_harmonics(chunk.samples, f0),
        gne=glottal_to_noise(chunk.samples, voiced),
        formants_hz=formant_tracks(chunk.samples, voiced),
    )
    return tracks, Cycles(marks.times_s + chunk.first_frame * FRAME_S, marks.amplitude)


def _geneva(chunk: Chunk) -> LowLevel:
    n = chunk.n_frames
    first, last = CONTEXT - _LEAD * HOP, CONTEXT + (n + _LEAD - 1) * HOP + _LONG
    return low_level(chunk.samples[first:last], RATE_HZ).part(_LEAD, _LEAD + n)


class _Columns:
    """Pieces of tracks, kept apart by track; joined, the pieces of one go before the next is made."""

    def __init__(self) -> None:
        self._pieces: dict[str, list[NDArray[np.generic]]] = {}

    @property
    def empty(self) -> bool:
        return not self._pieces

    def add(self, piece: FrameTracks | SpectralFrames | LowLevel) -> None:
        for field in fields(piece):
            self._pieces.setdefault(field.name, []).append(getattr(piece, field.name))

    def joined(self, kind: type[_T]) -> _T:
        return kind(**{f.name: np.concatenate(self._pieces.pop(f.name)) for f in fields(kind)})


def _apart(pieces: list[Cycles]) -> Cycles:
    """Marks of all chunks with a NaN between two chunks: no period reaches over a seam."""
    times = [part for piece in pieces for part in (piece.times_s, [np.nan])]
    amplitudes = [part for piece in pieces for part in (piece.amplitude, [np.nan])]
    return Cycles(np.concatenate(times), np.concatenate(amplitudes).astype(np.float32))
