"""Who speaks: voice prints are clustered, the number of speakers is estimated, every frame of speech gets one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.signal.vad import runs
from cueflow.tasks.audio.talk.embedding import WIDTH, Prints
from cueflow.tasks.audio.talk.segmentation import SPAN, LocalTalk
from cueflow.tasks.audio.talk.vowels import give_vowels

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]
Labels = NDArray[np.int64]

SAME_MIN = 0.685  # mean cosine of windows that share no sound: from here on they are one person's
_SPEECH_MIN_S = 2.5  # a speaker with less is no speaker
_SPEAKERS_MAX = 8
_WINDOWS_MAX = 600  # clustered at once: more are put to the nearest
_SOMEBODY_MIN = 0.5  # probability from which on somebody holds the floor
_BOTH_MIN = 0.7  # probability from which on two speak, .15 s at least: precision .8 over simulated talk
_BOTH_FRAMES = 15
_TONE_SHARE = 0.5  # of a window: with more of it held, its print is that of a vowel
_PLACE_FRAMES = 20.0  # a place with less to itself says little of whose it is
_SHARES = (0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4)


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who speaks: `labels` (n,) of frames of speech, -1 where nobody does, 0 for whoever speaks most, then 1, 2, ….

    `count` of speakers; `similarity` the mean cosine between the two that sound most alike (NaN for one): the nearer
    to .685, the less sure that they are two. `centres` (count, 256) of length 1. `floor` (count, n) who holds the
    floor: turns with the short pauses in them, and two people where both speak; `both` (n,) the probability of that.
    """

    labels: Labels
    count: int
    similarity: float
    centres: F64
    floor: Flags
    both: F32

    @classmethod
    def apart(cls, labels: Labels, count: int, similarity: float, centres: F64) -> Speakers:
        """Speakers of whom nobody knows when two speak at once: the floor is theirs while they speak."""
        floor = np.stack([labels == k for k in range(count)]) if count else np.zeros((0, len(labels)), dtype=bool)
        return cls(labels, count, similarity, centres, floor, np.zeros(len(labels), dtype=np.float32))


def find_speakers(
    prints: Prints,
    speech: Flags,
    local: LocalTalk,
    *,
    known: int = 0,
    tones: Flags | None = None,
    f0_hz: F32 | None = None,
) -> Speakers:
    """Give every frame of speech to a speaker, and find where two speak.

    Spectral clustering of the windows' cosines, each kept to its nearest neighbours (how many is chosen with the
    number of clusters, by the gap of the eigenvalues), gives at least two clusters; then clusters whose windows are as
    alike as one person's are joined, so that a monologue ends as one speaker. A frame's speaker is whose prints are
    like those around it and like those of everything that the same voice says within 10 s.

    Parameters
    ----------
    prints : Prints
        Of windows with speech.
    speech : ndarray of bool, shape (n,)
        Frames with speech.
    local : LocalTalk
        Who speaks within windows of 10 s.
    known : int, optional
        Number of speakers where it is known; 0: estimated.
    tones : ndarray of bool, shape (n,), optional
        Frames of held vowels, whose prints do not tell people apart.
    f0_hz : ndarray, shape (n,), optional
        Pitch, NaN where unvoiced, that tells whose a held vowel is.

    Returns
    -------
    Speakers
        Without a window of speech (under 1.6 s): one speaker.

    References
    ----------
    Park et al. (2020), Auto-tuning spectral clustering for speaker diarization using normalized maximum eigengap,
    doi:10.1109/LSP.2019.2961071
    """
    tones = np.zeros_like(speech) if tones is None else tones
    prints = _of_talk(prints, tones)
    vectors = prints.vectors.astype(np.float64)
    if len(vectors) < 4 or known == 1:
        return _one(speech, vectors)
    chosen = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), _WINDOWS_MAX)).astype(np.int64))
    some, starts = vectors[chosen], prints.starts[chosen]
    groups = _joined(_spectral(some, least=max(known, 2)), some, starts, known=known)
    if not groups.any():
        return _one(speech, vectors)
    centres = _centres(some, groups)
    nearest = (vectors @ centres.T).argmax(axis=1)
    centres = _centres(vectors, nearest)
    first, _, _ = _evidence(prints.starts, vectors @ centres.T, local, len(speech))
    centres = centres[_long_enough(first.argmax(axis=1)[speech & ~tones], len(centres))]
    if len(centres) < 2:
        return _one(speech, vectors)
    owners = (vectors @ centres.T).argmax(axis=1)
    evidence, somebody, both = _evidence(prints.starts, vectors @ centres.T, local, len(speech))
    labels, floor = np.where(speech, evidence.argmax(axis=1), -1), _floor(evidence, somebody, both)
    if f0_hz is not None:
        labels, floor = give_vowels(labels, floor, speech, tones=tones, f0_hz=f0_hz)
    return Speakers(
        labels=labels,
        count=len(centres),
        similarity=_likeness(vectors, prints.starts, owners),
        centres=centres,
        floor=floor,
        both=both,
    )


def _of_talk(prints: Prints, tones: Flags) -> Prints:
    """Prints of windows that are not mostly of held vowels."""
    sums = np.concatenate([[0], np.cumsum(tones)])
    ends = np.minimum(prints.starts + WIDTH, len(tones))
    talk = sums[ends] - sums[prints.starts] < _TONE_SHARE * WIDTH
    return Prints(prints.starts[talk], prints.vectors[talk])


def _one(speech: Flags, vectors: F64) -> Speakers:
    centre = _centres(vectors, np.zeros(len(vectors), dtype=np.int64)) if len(vectors) else np.zeros((1, 256))
    count = int(speech.any())
    return Speakers.apart(np.where(speech, 0, -1), count, float("nan"), centre[:count])


def _spectral(vectors: F64, *, least: int) -> Labels:
    """Clusters by the eigenvectors of the graph of neighbours."""
    from scipy.cluster.vq import kmeans2
    from scipy.linalg import eigh

    alike = vectors @ vectors.T
    most = min(_SPEAKERS_MAX, len(vectors) - 2)
    best = (np.inf, least, np.empty((0, 0)))
    for share in _SHARES:
        nearest = max(round(share * len(alike)), 2)
        kept = (alike >= np.partition(alike, -nearest, axis=1)[:, -nearest][:, None]).astype(np.float64)
        graph = (kept + kept.T) / 2.0
        laplacian = np.diag(graph.sum(axis=1)) - graph
        values, axes = eigh(laplacian)
        gaps = np.diff(values[: most + 1])
        quality = share * values[-1] / max(float(gaps.max()), 1e-10)
        if quality < best[0]:
            best = (quality, max(int(gaps.argmax()) + 1, least), axes)
    _, number, axes = best
    return np.asarray(kmeans2(axes[:, :number], number, minit="++", seed=0, iter=50, missing="warn")[1], dtype=np.int64)


def _joined(groups: Labels, vectors: F64, starts: Labels, *, known: int) -> Labels:
    """Join the two most alike clusters for as long as they could be one person, or to the number that is known."""
    groups = groups.copy()
    apart = np.abs(starts[:, None] - starts[None, :]) >= WIDTH
    alike = np.where(apart, vectors @ vectors.T, 0.0)
    while len(names := np.unique(groups)) > 1:
        members = (groups[:, None] == names).astype(np.float64)
        total, count = members.T @ alike @ members, members.T @ apart @ members
        mean = np.where(count > 0, total / np.maximum(count, 1.0), 1.0)
        np.fill_diagonal(mean, -1.0)
        a, b = np.unravel_index(int(mean.argmax()), mean.shape)
        if (len(names) <= known) if known else (mean[a, b] < SAME_MIN):
            break
        groups[groups == names[b]] = names[a]
    return np.asarray(np.unique(groups, return_inverse=True)[1], dtype=np.int64)


def _centres(vectors: F64, groups: Labels) -> F64:
    centres = np.stack([vectors[groups == k].mean(axis=0) for k in np.unique(groups)])
    return np.asarray(centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9))


def _long_enough(labels: Labels, count: int) -> Labels:
    """Those who speak long enough to be somebody, by how much they speak."""
    seconds = np.bincount(labels, minlength=count) * FRAME_S
    keep = np.flatnonzero(seconds >= _SPEECH_MIN_S)
    keep = keep if len(keep) else np.asarray([int(seconds.argmax())])
    return keep[np.argsort(-seconds[keep], kind="stable")]


def _evidence(starts: Labels, scores: F64, local: LocalTalk, n: int) -> tuple[F32, F32, F32]:
    """For every frame, how much speaks for each speaker (n, count), that anybody speaks, that two do (n,).

    Prints of 1.6 s say who, but not sharply when; the network says sharply when, but of its places not whose they
    are. So a place gets the mean score of the frames that it has to itself, and hands it to all of its frames.
    """
    near = _near(starts, scores, n)
    evidence, (somebody, both, looks) = np.zeros_like(near), np.zeros((3, n), dtype=np.float32)
    for i, start in enumerate(local.starts):
        part = slice(start, min(start + SPAN, n))
        alone, two = (track[i, : part.stop - start] / np.float32(255.0) for track in (local.alone, local.both))
        of_place = (alone.T @ near[part]) / np.maximum(alone.sum(axis=0), _PLACE_FRAMES)[:, None]
        evidence[part] += alone @ of_place
        somebody[part] += alone.sum(axis=1) + two
        both[part] += two
        looks[part] += 1.0
    looks = np.maximum(looks, 1.0)
    evidence = _filled(evidence / looks[:, None] + near)
    return evidence, somebody / looks, both / looks


def _near(starts: Labels, scores: F64, n: int) -> F32:
    """Score of the prints around every frame, those near its middle counting most; 0 where there are none."""
    weight = np.square(1.0 - np.abs(np.linspace(-1.0, 1.0, WIDTH + 2)[1:-1])).astype(np.float32)
    total, weights = np.zeros((n + WIDTH, scores.shape[1]), dtype=np.float32), np.zeros(n + WIDTH, dtype=np.float32)
    for start, score in zip(starts, scores - scores.mean(axis=1, keepdims=True), strict=True):
        total[start : start + WIDTH] += weight[:, None] * score
        weights[start : start + WIDTH] += weight
    return np.asarray(total[:n] / np.maximum(weights[:n], np.float32(1e-9))[:, None])


def _filled(evidence: F32) -> F32:
    """Frames that nothing is known of take the evidence of the next one."""
    place = np.flatnonzero(np.abs(evidence).sum(axis=1) > 0)
    if not len(place):
        return evidence
    return np.asarray(evidence[place[np.clip(np.searchsorted(place, np.arange(len(evidence))), 0, len(place) - 1)]])


def _floor(evidence: F32, somebody: F32, both: F32) -> Flags:
    order = np.argsort(-evidence, axis=1, kind="stable")
    floor = np.zeros(evidence.shape[::-1], dtype=bool)
    held = np.flatnonzero(somebody > _SOMEBODY_MIN)
    floor[order[held, 0], held] = True
    for first, last in runs(both > _BOTH_MIN):
        if last - first >= _BOTH_FRAMES:
            for rank in (0, 1):
                floor[order[first:last, rank], np.arange(first, last)] = True
    return floor


def _likeness(vectors: F64, starts: Labels, groups: Labels) -> float:
    """Highest mean cosine between the windows of two speakers."""
    names = np.unique(groups)
    chosen = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), _WINDOWS_MAX)).astype(np.int64))
    vectors, starts, groups = vectors[chosen], starts[chosen], groups[chosen]
    apart = np.abs(starts[:, None] - starts[None, :]) >= WIDTH
    alike = vectors @ vectors.T
    pairs = [
        alike[np.ix_(groups == a, groups == b)][apart[np.ix_(groups == a, groups == b)]]
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    ]
    return max((float(p.mean()) for p in pairs if len(p)), default=float("nan"))


def speaker_spans(labels: Labels, speaker: int) -> list[tuple[int, int]]:
    """Stretches of frames of one speaker.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        From `find_speakers`.
    speaker : int
        Its number.

    Returns
    -------
    list of tuple of int
        Half-open.
    """
    return runs(labels == speaker)
