"""Who speaks: voice prints are clustered, the number of speakers is estimated, every frame of speech gets one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cueflow.tasks.audio.signal.stream import FRAME_S
from cueflow.tasks.audio.signal.vad import runs
from cueflow.tasks.audio.talk.embedding import WIDTH, Prints

F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]
Labels = NDArray[np.int64]

SAME_MIN = 0.685  # mean cosine of windows that share no sound: from here on they are one person's
_SPEECH_MIN_S = 2.5  # a speaker with less is no speaker
_SPEAKERS_MAX = 8
_WINDOWS_MAX = 600  # clustered at once: more are put to the nearest
_SHARES = (0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4)


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who speaks: `labels` (n,) of frames, -1 where nobody does, 0 for whoever speaks most, then 1, and so on.

    `count` of speakers; `similarity` the mean cosine between the two that sound most alike (NaN for one): the nearer
    to .685, the less sure that they are two. `centres` (count, 256) of length 1.
    """

    labels: Labels
    count: int
    similarity: float
    centres: F64


def find_speakers(prints: Prints, speech: Flags, *, known: int = 0) -> Speakers:
    """Give every frame of speech to a speaker.

    Spectral clustering of the windows' cosines, each kept to its nearest neighbours (how many is chosen with the
    number of clusters, by the gap of the eigenvalues), gives at least two clusters; then clusters whose windows are as
    alike as one person's are joined, so that a monologue ends as one speaker.

    Parameters
    ----------
    prints : Prints
        Of windows with speech.
    speech : ndarray of bool, shape (n,)
        Frames with speech.
    known : int, optional
        Number of speakers where it is known; 0: estimated.

    Returns
    -------
    Speakers
        Without a window of speech (under 1.6 s): one speaker.

    References
    ----------
    Park et al. (2020), Auto-tuning spectral clustering for speaker diarization using normalized maximum eigengap,
    doi:10.1109/LSP.2019.2961071
    """
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
    labels = _on_frames(prints.starts, vectors @ centres.T, speech)
    return _ordered(labels, vectors, prints.starts, centres)


def _one(speech: Flags, vectors: F64) -> Speakers:
    centre = _centres(vectors, np.zeros(len(vectors), dtype=np.int64)) if len(vectors) else np.zeros((1, 256))
    return Speakers(np.where(speech, 0, -1), int(speech.any()), float("nan"), centre[: int(speech.any())])


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


def _on_frames(starts: Labels, scores: F64, speech: Flags) -> Labels:
    """The best score of the windows around every frame of speech, those near its middle counting most."""
    n, count = len(speech), scores.shape[1]
    weight = np.square(1.0 - np.abs(np.linspace(-1.0, 1.0, WIDTH + 2)[1:-1]))
    total = np.zeros((n + WIDTH, count))
    for start, score in zip(starts, scores - scores.mean(axis=1, keepdims=True), strict=True):
        total[start : start + WIDTH] += weight[:, None] * score
    heard = np.abs(total[:n]).sum(axis=1) > 0
    place = np.flatnonzero(heard)
    near = np.clip(np.searchsorted(place, np.arange(n)), 0, len(place) - 1)
    best = total[:n].argmax(axis=1)[place[near]]  # speech beside all windows goes with the next one
    return np.where(speech, best, -1)


def _ordered(labels: Labels, vectors: F64, starts: Labels, centres: F64) -> Speakers:
    """Speakers by how much they speak; one with too little goes to the one most alike."""
    centres = centres.copy()
    seconds = np.bincount(labels[labels >= 0], minlength=len(centres)) * FRAME_S
    keep = np.flatnonzero(seconds >= _SPEECH_MIN_S)
    keep = keep if len(keep) else np.asarray([int(seconds.argmax())])
    keep = keep[np.argsort(-seconds[keep], kind="stable")]
    target = np.asarray(
        [
            int(np.flatnonzero(keep == k)[0]) if k in keep else int((centres[keep] @ centres[k]).argmax())
            for k in range(len(centres))
        ]
    )
    out = np.where(labels >= 0, target[np.maximum(labels, 0)], -1)
    centres = centres[keep]
    groups = (vectors @ centres.T).argmax(axis=1)
    return Speakers(out, len(keep), _likeness(vectors, starts, groups), centres)


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
