"""Words heard by a network on this machine, for recordings without a transcript; they are counted and let go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ConfigError
from cueflow.tasks.audio.signal.stream import HOP, RATE_HZ
from cueflow.tasks.ingest.transcripts import Utterance

F32 = NDArray[np.float32]

_LONGEST_S, _SEARCHED_S = 28.0, 8.0  # the network hears 30 s; a piece is cut at the quietest place of its last seconds


def need_library() -> None:
    """Raise where the library of the recogniser is not installed.

    Raises
    ------
    ConfigError
        Says how to install it.
    """
    if find_spec("faster_whisper") is None:
        raise ConfigError("audio.recognise needs another package: pip install 'cueflow[words]'.")


def recognise(blocks: Iterable[F32], model: Path, *, start_s: float) -> tuple[Utterance, ...]:
    """English words with their times.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n,)
        Mono samples at 16 kHz, in -1 to 1; NaN is heard as silence.
    model : Path
        Folder of the weights `whisper_tiny_en`.
    start_s : float
        Session time of the first sample.

    Returns
    -------
    tuple of Utterance
        On the session's clock, of nobody in particular. The network leaves most filled pauses out.

    Notes
    -----
    ConfigError is raised where the library is not installed.

    References
    ----------
    Radford et al. (2023), Robust speech recognition via large-scale weak supervision, arxiv:2212.04356
    """
    need_library()
    from faster_whisper import WhisperModel

    network = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True)
    found: list[Utterance] = []
    for first, piece in _pieces(blocks):
        heard, _ = network.transcribe(
            piece, language="en", vad_filter=True, condition_on_previous_text=False, temperature=0.0
        )
        at = start_s + first / RATE_HZ
        found += [Utterance(at + part.start, at + part.end, "", part.text) for part in heard]
    return tuple(found)


def _pieces(blocks: Iterable[F32]) -> Iterator[tuple[int, F32]]:
    """Pieces of at most 28 s and the number of their first sample, cut where it is quietest."""
    first, kept = 0, np.empty(0, dtype=np.float32)
    longest = int(_LONGEST_S * RATE_HZ)
    for block in blocks:
        kept = np.concatenate([kept, np.nan_to_num(block)])
        while len(kept) > longest:
            cut = _quietest(kept[:longest])
            yield first, kept[:cut]
            first, kept = first + cut, kept[cut:]
    if len(kept):
        yield first, kept


def _quietest(piece: F32) -> int:
    searched = piece[len(piece) - int(_SEARCHED_S * RATE_HZ) :]
    power = np.square(searched[: len(searched) // HOP * HOP]).reshape(-1, HOP).mean(axis=1)
    wide = np.convolve(power, np.ones(20), mode="same")  # .2 s
    wide[:10] = wide[-10:] = np.inf
    return len(piece) - len(searched) + int(wide.argmin()) * HOP + HOP // 2
