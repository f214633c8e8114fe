"""Voice prints: what a speaker sounds like in windows of 1.6 s, as vectors of length 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cueflow.schemas.errors import ModelError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.audio.signal.stream import HOP, RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

F32 = NDArray[np.float32]

WIDTH = 160  # frames of 10 ms in a window
STEP = 25  # frames between windows
SIZE = 256
_LAYERS = 3
_BANDS = 40
_FFT = 400
_LEVEL = 10.0 ** (-30.0 / 10.0)  # mean power that the network was trained at
_SPEECH_MIN = 0.5  # share of a window that must look like speech
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Prints:
    """Voice prints of m windows: `starts` (m,) in frames of 10 ms, `vectors` (m, 256) of length 1."""

    starts: NDArray[np.int64]
    vectors: F32


class SpeakerEncoder:
    """The network of resemblyzer 0.1.4: three recurrent layers over 40 mel bands, then a linear one.

    Parameters
    ----------
    model : Path
        `speaker_encoder.safetensors`.

    Raises
    ------
    ModelError
        If the file is not there or holds other weights.

    References
    ----------
    Wan et al. (2018), Generalized end-to-end loss for speaker verification, arXiv:1710.10467
    """

    def __init__(self, model: Path) -> None:
        from safetensors.numpy import load_file

        if not model.is_file():
            raise ModelError(f"{model.name} is not there; pull the models first (cueflow models pull)")
        weights = load_file(model)
        if weights.get("linear.weight", np.empty(0)).shape != (SIZE, SIZE):
            raise ModelError(f"{model.name} is not the speaker network; pull the models again (cueflow models pull)")
        self._weights: Mapping[str, F32] = weights

    def __call__(self, mels: F32) -> F32:
        """Voice prints of windows.

        Parameters
        ----------
        mels : ndarray, shape (m, 160, 40)
            Power in mel bands, at a mean power of the window of .001.

        Returns
        -------
        ndarray, shape (m, 256)
            Not negative, of length 1.
        """
        out = np.empty((len(mels), SIZE), dtype=np.float32)
        for at in range(0, len(mels), _BATCH):
            out[at : at + _BATCH] = self._batch(mels[at : at + _BATCH])
        return out

    def _batch(self, mels: F32) -> F32:
        track = mels.transpose(1, 0, 2)
        for layer in range(_LAYERS):
            track = _lstm(track, [self._weights[f"lstm.{kind}_l{layer}"] for kind in _KINDS])
        raw = np.maximum(track[-1] @ self._weights["linear.weight"].T + self._weights["linear.bias"], 0.0)
        return np.asarray(raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9), dtype=np.float32)


_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _lstm(track: F32, weights: Sequence[F32]) -> F32:
    """One recurrent layer over (t, m, k): (t, m, 256). The gates come in the order in, forget, cell, out."""
    w_in, w_back, b_in, b_back = weights
    t, m, k = track.shape
    driven = (track.reshape(t * m, k) @ w_in.T + (b_in + b_back)).reshape(t, m, -1)
    size = w_back.shape[1]
    out = np.empty((t, m, size), dtype=np.float32)
    state = np.zeros((m, size), dtype=np.float32)
    cell = np.zeros((m, size), dtype=np.float32)
    back = np.ascontiguousarray(w_back.T)
    for i in range(t):
        gates = driven[i] + state @ back
        opened = 0.5 * (1.0 + np.tanh(0.5 * gates))  # sigmoid, without overflow
        new = np.tanh(gates[:, 2 * size : 3 * size])
        cell = opened[:, size : 2 * size] * cell + opened[:, :size] * new
        state = opened[:, 3 * size :] * np.tanh(cell)
        out[i] = state
    return out


class PrintCollector:
    """Takes the recording chunk by chunk and keeps the voice prints of windows with speech."""

    def __init__(self, encoder: SpeakerEncoder) -> None:
        self._encoder = encoder
        self._mels = np.empty((0, _BANDS), dtype=np.float32)
        self._power = np.empty(0, dtype=np.float32)
        self._speech = np.empty(0, dtype=np.float32)
        self._lost = np.empty(0, dtype=np.bool_)
        self._first = 0
        self._starts: list[NDArray[np.int64]] = []
        self._vectors: list[F32] = []

    def feed(self, samples: F32, speech: NDArray[np.bool_], lost: NDArray[np.bool_], *, lead: int) -> None:
        """Take the next frames.

        Parameters
        ----------
        samples : ndarray, shape (lead + n * 160 + lead,)
            Samples at 16 kHz with context on either side.
        speech : ndarray of bool, shape (n,)
            Frames that look like speech.
        lost : ndarray of bool, shape (n,)
            Frames that were not recorded: no window with one of them has a print.
        lead : int
            Samples of context on either side.
        """
        n = len(speech)
        core = samples[lead : lead + n * HOP].reshape(n, HOP)
        self._mels = np.concatenate([self._mels, _mel_frames(samples, n_frames=n, lead=lead)])
        self._power = np.concatenate([self._power, np.einsum("ij,ij->i", core, core) / HOP])
        self._speech = np.concatenate([self._speech, speech.astype(np.float32)])
        self._lost = np.concatenate([self._lost, lost])
        count = (len(self._mels) - WIDTH) // STEP + 1
        if count < 1:
            return
        starts = np.arange(count) * STEP
        share, power, gone = (np.lib.stride_tricks.sliding_window_view(v, WIDTH)[starts].mean(axis=1)
                              for v in (self._speech, self._power, self._lost))  # fmt: skip
        chosen = np.flatnonzero((share >= _SPEECH_MIN) & (power > 0) & (gone == 0))
        if len(chosen):
            view = np.lib.stride_tricks.sliding_window_view(self._mels, WIDTH, axis=0)[starts[chosen]]
            scale = (_LEVEL / power[chosen]).astype(np.float32)
            self._vectors.append(self._encoder(view.transpose(0, 2, 1) * scale[:, None, None]).astype(np.float16))
            self._starts.append(self._first + starts[chosen])
        used = count * STEP
        self._mels, self._power = self._mels[used:], self._power[used:]
        self._speech, self._lost = self._speech[used:], self._lost[used:]
        self._first += used

    def prints(self) -> Prints:
        """All voice prints so far."""
        vectors = np.concatenate([*self._vectors, np.empty((0, SIZE), dtype=np.float16)]).astype(np.float32)
        return Prints(np.concatenate([*self._starts, np.empty(0, dtype=np.int64)]), vectors)


def _mel_frames(samples: F32, *, n_frames: int, lead: int) -> F32:
    """Power in 40 mel bands of Hann windows of 25 ms that are centred on the frames' starts."""
    from scipy import fft

    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    view = np.lib.stride_tricks.sliding_window_view(samples, _FFT)
    rows = view[lead - _FFT // 2 : lead - _FFT // 2 + n_frames * HOP : HOP][:n_frames]
    spectrum = fft.rfft(rows * window, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(power.astype(np.float32) @ _mel_weights(), dtype=np.float32)


@lru_cache(maxsize=1)
def _mel_weights() -> F32:
    """Triangles of equal area on Slaney's mel scale (linear to 1 kHz, then logarithmic), shape (201, 40)."""
    log_step = np.log(6.4) / 27.0
    top = 15.0 + np.log(RATE_HZ / 2.0 / 1000.0) / log_step
    mel = np.linspace(0.0, top, _BANDS + 2)
    edges = np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp(log_step * (mel - 15.0)))
    hertz = np.arange(_FFT // 2 + 1)[:, None] * RATE_HZ / _FFT
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(np.minimum(rising, falling), 0.0) * 2.0 / (edges[2:] - edges[:-2])
    return np.asarray(weights, dtype=np.float32)


def convert_resemblyzer(checkpoint: Path, out: Path) -> None:
    """Write the network inside `pretrained.pt` as `speaker_encoder.safetensors`; the bytes depend on the input only.

    Parameters
    ----------
    checkpoint : Path
        The member `resemblyzer/pretrained.pt` of the wheel resemblyzer 0.1.4.
    out : Path
        Folder to write into; made where it is not there.

    Raises
    ------
    ModelError
        If the file is another one.
    """
    import torch
    from safetensors.numpy import save_file

    # the store has compared its hash; nothing but tensors is read in any case
    state = torch.load(checkpoint, map_location="cpu", weights_only=True).get("model_state", {})
    if "linear.weight" not in state:
        raise ModelError(f"{checkpoint.name}: not the checkpoint expected", reason=Reason.MODEL_HASH)
    kept = {name: state[name].numpy() for name in sorted(state) if name.startswith(("lstm.", "linear."))}
    out.mkdir(parents=True, exist_ok=True)
    save_file(kept, out / "speaker_encoder.safetensors")
