"""Features of recordings: what a setting reads of them, made once and cached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.flows.actions.backbones import BACKBONE, backbone_sha256, encoder_of, eyes_of
from cueflow.schemas.errors import ConfigError
from cueflow.storage.fingerprints import sha256_file
from cueflow.tasks.actions.data.prompts import Prompts, words_sha256
from cueflow.tasks.actions.store.files import feature_key, read_features, write_features

if TYPE_CHECKING:
    from cueflow.tasks.actions.look.eyes import Eyes
    from cueflow.tasks.actions.look.features import ClipFeatures
    from cueflow.tasks.actions.store.model import FeatureSetting

SOURCES = ("keys", "optical")
RATE_HZ = 8.0


def feature_setting(
    *,
    rate_hz: float = RATE_HZ,
    size: int = 112,
    sources: Sequence[str] = SOURCES,
    appearance: bool = True,
    backbone: str = BACKBONE,
    words: Path | None = None,
    prompts: Prompts | None = None,
) -> FeatureSetting:
    """What features are made and read.

    Parameters
    ----------
    rate_hz : float, optional
        Frames a second, 1 to 30; a nod needs 8.
    size : int, optional
        Side of the backbone's input in pixels, a multiple of 14.
    sources : sequence of str, optional
        Motion sources: keys, attention, optical, pixels.
    appearance : bool, optional
        Whether the head sees what the frames look like, too.
    backbone : str, optional
        Name or folder, see `find_backbone`.
    words : Path, optional
        Folder of a dual encoder, see `Words`; goes with `prompts`.
    prompts : Prompts, optional
        What it looks for.

    Returns
    -------
    FeatureSetting

    Raises
    ------
    ConfigError
        If a source is unknown, nothing is left to read, or a number leaves its bounds.
    """
    from cueflow.tasks.actions.look.sources import SOURCES as KNOWN
    from cueflow.tasks.actions.store.model import FeatureSetting

    if unknown := [s for s in sources if s not in KNOWN]:
        raise ConfigError(f"{unknown[0]!r} is no motion source; known are {', '.join(KNOWN)}")
    if (words is None) != (prompts is None):
        raise ConfigError("--words and --prompts go together: an encoder, and what it is to look for")
    if not sources and not appearance and words is None:
        raise ConfigError("neither motion nor appearance is left: choose a motion source")
    if not 1 <= rate_hz <= 30 or not 56 <= size <= 518:
        raise ConfigError("the rate must be 1 to 30 frames/s, the size 56 to 518 pixels")
    name = "" if Path(backbone).is_dir() else backbone
    made = FeatureSetting(backbone_sha256(backbone), rate_hz, size, tuple(sources), appearance, name)
    if words is None or prompts is None:
        return made
    return replace(made, words_sha256=words_sha256(words, prompts), prompts=prompts.phrases)


class FeatureStore:
    """Features of recordings, made once and kept under a hash of all that changes them.

    Parameters
    ----------
    folder : Path
        The cache; safe to delete.
    setting : FeatureSetting
        Rate and size.
    backbone : str, optional
        Name or folder; default: the setting's.
    words : Path, optional
        Folder of the dual encoder, where the setting has prompts.
    model : Path, optional
        Folder of the model, where the setting has an adapter inside the backbone.
    device : str, optional
        Where torch computes, as in `Backbone`.

    Raises
    ------
    ModelError
        If the setting has prompts, and no encoder is given.
    """

    def __init__(
        self,
        folder: Path,
        setting: FeatureSetting,
        *,
        backbone: str = "",
        words: Path | None = None,
        model: Path | None = None,
        device: str = "",
    ) -> None:
        self._folder, self._setting, self._model, self._device = folder, setting, model, device
        self._words = encoder_of(setting, words, device=device)
        self._name = backbone or setting.backbone
        self._eyes: Eyes | None = None

    def features(self, path: Path, *, progress: Callable[[float], None] | None = None) -> ClipFeatures:
        """Features of one video file, from the cache where they are there.

        Parameters
        ----------
        path : Path
            The recording.
        progress : callable, optional
            Told the share that is done, 0 to 1.

        Returns
        -------
        ClipFeatures
        """
        from cueflow.tasks.actions.look.features import extract
        from cueflow.tasks.ingest.video import probe_video

        key = feature_key(
            input_sha256=sha256_file(path),
            backbone_sha256=self._setting.backbone_sha256,
            rate_hz=self._setting.rate_hz,
            size=self._setting.size,
            attended=self._setting.attended,
            words_sha256=self._setting.words_sha256,
            inside_sha256=self._setting.inside_sha256,
        )
        file = self._folder / key[:2] / f"{key}.safetensors"
        known = read_features(file)
        if known is not None:
            return known
        probe_video(path)
        if self._eyes is None:
            self._eyes = eyes_of(self._setting, self._name, model=self._model, device=self._device)
        rate, size = self._setting.rate_hz, self._setting.size
        made = extract(path, self._eyes, rate_hz=rate, size=size, words=self._words(), progress=progress)
        write_features(file, made)
        return made
