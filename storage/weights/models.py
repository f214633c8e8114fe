"""Store of pretrained weights: found or fetched from the first source that has them, and always checked by hash."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cueflow.schemas.errors import ModelError
from cueflow.schemas.models import LockedModel, WeightFile, locked_models
from cueflow.schemas.reasons import Reason
from cueflow.storage.atomic import sync_dir
from cueflow.storage.weights.model_sources import Converter, check_file, fetch

Progress = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the lock file; `present` says whether its files are in the store (not whether they are right)."""

    name: str
    purpose: str
    licence: str
    training_data: str
    size: int
    sha256: str
    present: bool


def default_cache() -> Path:
    """Folder of the store: CUEFLOW_MODELS, or `~/.cache/cueflow/models`."""
    named = os.environ.get("CUEFLOW_MODELS")
    return Path(named) if named else Path.home() / ".cache" / "cueflow" / "models"


def source_folders() -> tuple[Path, ...]:
    """Folders named by CUEFLOW_MODEL_SOURCES, in order."""
    return tuple(Path(p) for p in os.environ.get("CUEFLOW_MODEL_SOURCES", "").split(os.pathsep) if p)


class ModelStore:
    """Weights on this machine. A file is never handed out before its hash was compared with the lock file.

    Parameters
    ----------
    cache_dir : Path, optional
        Folder of the store; default: `default_cache()`.
    converters : mapping, optional
        Functions (file, output folder) that the lock file names.
    lock : mapping, optional
        Models by name; default: the lock file.
    """

    def __init__(
        self,
        cache_dir: Path | None = None,
        *,
        converters: Mapping[str, Converter] | None = None,
        lock: Mapping[str, LockedModel] | None = None,
    ) -> None:
        self.folder = cache_dir or default_cache()
        self._converters = converters or {}
        self._lock = locked_models() if lock is None else lock
        self._checked: dict[Path, tuple[int, int, int]] = {}
        self._pulling = threading.Lock()

    def list(self) -> tuple[ModelEntry, ...]:
        """Every model of the lock file, and whether it is here."""
        return tuple(
            ModelEntry(
                name=m.name,
                purpose=m.purpose,
                licence=m.licence,
                training_data=m.training_data,
                size=m.size,
                sha256=m.sha256,
                present=all(self._place(m, f).is_file() for f in m.files),
            )
            for m in self._lock.values()
        )

    def sha256(self, name: str) -> str:
        """Hash of a model as the lock file has it; an unknown name is a `ModelError`."""
        return self._model(name).sha256

    def pull(self, names: Sequence[str] | None = None, *, progress: Progress | None = None) -> tuple[str, ...]:
        """Fetch what is missing or damaged, from the first source that has it.

        Parameters
        ----------
        names : sequence of str, optional
            Models of the lock file; None for all but the optional ones.
        progress : callable, optional
            Told (model, source) before each try.

        Returns
        -------
        tuple of str
            Names of the models that had to be fetched. One that no source has, or only with another hash, is a
            `ModelError` that says what each source answered.
        """
        models = self._named(names)
        with self._pulling:
            return tuple(m.name for m in models if not self._is_good(m) and self._fetch(m, progress or _quiet))

    def verify(self, names: Sequence[str] | None = None) -> tuple[str, ...]:
        """Hash the files that are here once more and compare them with the lock file.

        Parameters
        ----------
        names : sequence of str, optional
            Models of the lock file; None for all but optional ones that are not here.

        Returns
        -------
        tuple of str
            Names of the models, all of them good. A missing or different file is a `ModelError`.
        """
        models = self._named(names, here=True)
        self._checked.clear()
        for model in models:
            self._check(model)
        return tuple(m.name for m in models)

    def _named(self, names: Sequence[str] | None, *, here: bool = False) -> tuple[LockedModel, ...]:
        """Models by name; without names all but the optional ones, with `here` also those of them that are here."""
        if names is not None:
            return tuple(self._model(name) for name in names)
        present = {entry.name for entry in self.list() if entry.present} if here else set()
        return tuple(m for m in self._lock.values() if not m.optional or m.name in present)

    def path(self, name: str) -> Path:
        """Path of a model, fetched if it is not there, verified in any case.

        Parameters
        ----------
        name : str
            Name in the lock file.

        Returns
        -------
        Path
            Its file, or its folder where it has several files. Where no source has it, or the file here is not the
            one in the lock file, it is a `ModelError`.
        """
        model = self._model(name)
        if not all(self._place(model, f).exists() for f in model.files):
            self.pull([name])
        self._check(model)
        return self._home(model) if model.folder else self._place(model, model.files[0])

    def _model(self, name: str) -> LockedModel:
        if name not in self._lock:
            raise ModelError(f"There is no model {name!r}: the models are {', '.join(self._lock)}.")
        return self._lock[name]

    def _home(self, model: LockedModel) -> Path:
        return self.folder / model.name

    def _place(self, model: LockedModel, file: WeightFile) -> Path:
        return self._home(model) / file.name

    def _is_good(self, model: LockedModel) -> bool:
        try:
            self._check(model)
        except ModelError:
            return False
        return True

    def _check(self, model: LockedModel) -> None:
        for file in model.files:
            path = self._place(model, file)
            state = _state(path)
            if state is not None and self._checked.get(path) == state:
                continue
            try:
                check_file(path, size=file.size, sha256=file.sha256)
            except ModelError as error:
                hint = f"{model.name}: {error.message}: run `cueflow models pull {model.name}`."
                raise ModelError(hint, reason=error.reason) from error
            if state is not None:
                self._checked[path] = state

    def _fetch(self, model: LockedModel, progress: Progress) -> bool:
        answers: list[str] = []
        reasons: set[Reason] = set()
        with _store_errors(), tempfile.TemporaryDirectory(prefix=f".{model.name}-", dir=_made(self.folder)) as name:
            staged = Path(name)
            for label, bring in self._attempts(model, staged):
                progress(model.name, label)
                try:
                    bring()
                    for file in model.files:
                        check_file(staged / file.name, size=file.size, sha256=file.sha256)
                except ModelError as error:
                    answers.append(f"{label}: {error.message}")
                    reasons.add(error.reason)
                    continue
                self._install(model, staged)
                return True
        names = " and ".join(f.name for f in model.files)
        raise ModelError(
            f"{model.name} could not be fetched ({'; '.join(answers) or 'no source is known'}): put {names} into a "
            "folder and name it in CUEFLOW_MODEL_SOURCES.",
            reason=Reason.MODEL_HASH if Reason.MODEL_HASH in reasons else Reason.MODEL_MISSING,
        )

    def _attempts(self, model: LockedModel, staged: Path) -> Iterator[tuple[str, Callable[[], None]]]:
        for number, folder in enumerate(source_folders(), start=1):
            yield f"local folder {number}", lambda folder=folder: _copy_local(folder, model, staged)  # type: ignore[misc]
        for source in model.sources:
            yield (
                source.label,
                lambda source=source: fetch(source, model, staged, converters=self._converters),  # type: ignore[misc]
            )

    def _install(self, model: LockedModel, staged: Path) -> None:
        home = _made(self._home(model))
        for file in model.files:
            (staged / file.name).chmod(0o644)
            (staged / file.name).replace(home / file.name)
        sync_dir(home)


def _copy_local(folder: Path, model: LockedModel, staged: Path) -> None:
    """Copy files that lie flat in the folder, or in one named after the model.

    Raises
    ------
    ModelError
        If one is not there.
    """
    for file in model.files:
        places = (folder / model.name / file.name, *(() if model.folder else (folder / file.name,)))
        found = next((p for p in places if p.is_file()), None)
        if found is None:
            raise ModelError(f"{file.name} is not there")
        shutil.copyfile(found, staged / file.name)


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return (state.st_ino, state.st_size, state.st_mtime_ns)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _quiet(_name: str, _source: str) -> None:
    """Tell nobody."""


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        message = (
            f"The model store cannot be written ({error.strerror}): free space, or name another in CUEFLOW_MODELS."
        )
        raise ModelError(message, reason=Reason.DISK_FULL if full else Reason.MODEL_MISSING) from error
