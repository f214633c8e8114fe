"""Descriptions in words of what is looked for, as people write them into a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cueflow.schemas.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Prompts:
    """Labels, and the phrases that describe each: several are averaged."""

    phrases: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in their order."""
        return tuple(label for label, _ in self.phrases)


def read_prompts(path: Path) -> Prompts:
    """Read a YAML or JSON file that gives each label a phrase, or a list of them.

    Parameters
    ----------
    path : Path
        For example `hand to face: [a person touches their face, a hand on a face]`.

    Returns
    -------
    Prompts

    Raises
    ------
    ConfigError
        If the file cannot be read or holds something else.
    """
    import yaml

    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path.name}: cannot be read as YAML") from error
    if not isinstance(given, dict) or not given:
        raise ConfigError(f"{path.name}: give each label a phrase or a list of phrases (label: [phrase, phrase])")
    phrases = []
    for label, said in given.items():
        own = [said] if isinstance(said, str) else said
        if not isinstance(label, str) or not isinstance(own, list) or not own:
            raise ConfigError(f"{path.name}: {label!r} needs a phrase or a list of phrases")
        if not all(isinstance(p, str) and p.strip() for p in own):
            raise ConfigError(f"{path.name}: a phrase of {label!r} is empty or no text")
        phrases.append((label, tuple(own)))
    return Prompts(tuple(phrases))


def words_sha256(folder: Path, prompts: Prompts) -> str:
    """Hash of all that changes a score: weights, description, tokenizer, phrases.

    Raises
    ------
    ModelError
        If the folder has no weights.
    """
    digest = hashlib.sha256(json.dumps(prompts.phrases).encode())
    files = sorted(p for p in folder.glob("*") if p.suffix in {".json", ".safetensors", ".txt", ".model"})
    if not any(p.suffix == ".safetensors" for p in files):
        raise ModelError(f"{folder.name}: no dual encoder there (config.json, model.safetensors and its tokenizer)")
    for file in files:
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
