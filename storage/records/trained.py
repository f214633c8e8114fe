"""Which models were trained on whom: so that an erasure can name those that must be trained again.

A line per model holds its hash and, for each subject, an HMAC of the id under the model's own salt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cueflow.storage.atomic import replace_bytes
from cueflow.storage.layout import state_dir


def trained_path(root: Path) -> Path:
    """Where the list of models lies."""
    return state_dir(root) / "models.jsonl"


def remember_model(root: Path, model_sha256: str, subjects: Iterable[str], *, target: str) -> None:
    """Note that a model was trained on subjects of these tables.

    Parameters
    ----------
    root : Path
        TABLES.
    model_sha256 : str
        Hash that names the model.
    subjects : iterable of str
        Whose rows it was shown.
    target : str
        What it predicts.
    """
    salt = secrets.token_hex(16)
    entry = {
        "model_sha256": model_sha256,
        "target": target,
        "trained_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "salt": salt,
        "subjects": sorted(_key(subject, salt) for subject in set(subjects)),
        "retrain": False,
    }
    others = [e for e in _entries(root) if e["model_sha256"] != model_sha256]
    _write(root, [*others, entry])


def models_of(root: Path, subjects: Iterable[str]) -> list[str]:
    """Hashes of the models that were trained on any of some subjects.

    Parameters
    ----------
    root : Path
        TABLES.
    subjects : iterable of str
        Subject ids.

    Returns
    -------
    list of str
    """
    wanted = set(subjects)
    return sorted(e["model_sha256"] for e in _entries(root) if _among(e, wanted))


def forget_in_models(root: Path, subjects: Iterable[str]) -> None:
    """Take subjects out of the list and mark their models as to be trained again."""
    wanted, entries = set(subjects), _entries(root)
    for entry in entries:
        if gone := _among(entry, wanted):
            entry["subjects"] = sorted(set(entry["subjects"]) - gone)
            entry["retrain"] = True
    if entries:
        _write(root, entries)


def _among(entry: dict[str, Any], subjects: set[str]) -> set[str]:
    return {_key(subject, entry["salt"]) for subject in subjects} & set(entry["subjects"])


def _key(subject: str, salt: str) -> str:
    return hmac.new(salt.encode(), subject.encode(), hashlib.sha256).hexdigest()


def _entries(root: Path) -> list[dict[str, Any]]:
    path = trained_path(root)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def _write(root: Path, entries: list[dict[str, Any]]) -> None:
    replace_bytes(trained_path(root), "".join(json.dumps(e, sort_keys=True) + "\n" for e in entries).encode())
