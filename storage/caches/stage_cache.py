"""Results of a stage, stored by content: the same input, parameters, method and weights are never computed twice.

An entry is compressed JSON behind its own SHA-256; one that was cut or altered is not trusted, it is computed again.
What a stage found is written and read piece by piece: a day of heart beats is held once, as events, and never a second
time as what JSON is made of.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import math
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cueflow.schemas.errors import DiskFullError
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import (
    Clues,
    Event,
    Findings,
    FloatArray,
    Measure,
    Series,
    SpeakerRole,
    StreamResult,
    Trace,
    Window,
)

_DIGEST = 64
_EVENT = frozenset(Event.__slots__)


def entry_name(dataset: str, session_id: str, *, group: str, key: str) -> str:
    """Name of an entry, under that of its session so that erasure finds it."""
    return f"dataset={dataset}/session={session_id}/{group}-{key[:32]}.json.z"


def cache_path(root: Path, dataset: str, session_id: str, *, group: str, key: str) -> Path:
    """Where the results of a stage lie."""
    return root / ".cueflow" / "cache" / entry_name(dataset, session_id, group=group, key=key)


def write_results(path: Path, results: tuple[StreamResult, ...]) -> None:
    """Store the results of a stage atomically, in place of older ones of the same stage.

    Parameters
    ----------
    path : Path
        From `cache_path`.
    results : tuple of StreamResult
        One per stream.

    Without space left it is a `DiskFullError`, and older entries stay.
    """
    packer, body = zlib.compressobj(6), bytearray()
    for piece in _pieces(results):
        body += packer.compress(piece.encode())
    body += packer.flush()
    put_bytes(path, hashlib.sha256(body).hexdigest().encode() + body)
    group = path.name.partition("-")[0]
    for older in path.parent.glob(f"{group}-*.json.z"):
        if older != path:
            older.unlink(missing_ok=True)


def put_bytes(path: Path, raw: bytes) -> None:
    """Write an entry atomically.

    Parameters
    ----------
    path : Path
        From `cache_path`.
    raw : bytes
        All of it.

    Raises
    ------
    DiskFullError
        If there is no space left.
    OSError
        If the file cannot be written for another reason.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        staged.write_bytes(raw)
        staged.replace(path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        if error.errno == errno.ENOSPC:
            raise DiskFullError("The disk is full: free some space and run again; what was written stays.") from error
        raise


def read_results(path: Path) -> tuple[StreamResult, ...] | None:
    """Read the results of a stage.

    Parameters
    ----------
    path : Path
        From `cache_path`.

    Returns
    -------
    tuple of StreamResult or None
        None where there are none or where the file is not what was written.
    """
    body = _body(path)
    if body is None:
        return None
    return tuple(_decode(r) for r in json.loads(zlib.decompress(body).decode(), object_hook=_event_or_raw))


def is_intact(path: Path) -> bool:
    """Whether an entry is there and is what was written."""
    return _body(path) is not None


def _body(path: Path) -> bytes | None:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, body = raw[:_DIGEST], raw[_DIGEST:]
    return body if hashlib.sha256(body).hexdigest().encode() == digest else None


def _pieces(results: tuple[StreamResult, ...]) -> Iterator[str]:
    """The JSON of all results: what there may be a hundred thousand of, one by one."""
    yield "["
    for number, result in enumerate(results):
        yield ", " if number else ""
        yield from _opened(_encode(result), findings=_found(result.findings))
    yield "]"


def _found(found: Findings | None) -> Iterator[str]:
    if found is None:
        yield "null"
        return
    head = {n: getattr(found, n) for n in ("start_s", "end_s", "coverage", "quality", "status", "reason")}
    rest = {"measures": [asdict(m) for m in found.measures], "speakers": [asdict(s) for s in found.speakers]}
    events = ({n: getattr(e, n) for n in Event.__slots__} | {"evidence": dict(e.evidence)} for e in found.events)
    series = ([s.name, _numbers(s.t_s), _numbers(s.values)] for s in found.series)
    yield from _opened(head | rest, events=_listed(events), series=_listed(series))


def _opened(head: dict[str, Any], **more: Iterator[str]) -> Iterator[str]:
    """A JSON object of which some values come in pieces."""
    yield _json(head).removesuffix("}")
    for name, pieces in more.items():
        yield f', "{name}": '
        yield from pieces
    yield "}"


def _listed(items: Iterator[object]) -> Iterator[str]:
    yield "["
    for number, item in enumerate(items):
        yield (", " if number else "") + _json(item)
    yield "]"


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _encode(result: StreamResult) -> dict[str, Any]:
    head = {name: getattr(result, name) for name in StreamResult.__slots__ if name not in {"findings", "clues"}}
    return head | ({} if result.clues is None else {"clues": _encode_clues(result.clues)})


def _encode_clues(clues: Clues) -> dict[str, Any]:
    head = {name: getattr(clues, name) for name in ("began_s", "began_error_s", "zoned", "marks_s")}
    sound = None if clues.sound is None else _packed(clues.sound)
    return {**head, "sound": sound, "movement": [_packed(trace) for trace in clues.movement]}


def _packed(trace: Trace) -> list[Any]:
    """Two bytes a value: a hundred values a second of an hour are numbers enough."""
    return [trace.start_s, trace.rate, base64.b64encode(trace.values.astype("<f2").tobytes()).decode("ascii")]


def _numbers(values: FloatArray) -> list[float | None]:
    return [v if math.isfinite(v) else None for v in values.tolist()]


def _event_or_raw(raw: dict[str, Any]) -> Event | dict[str, Any]:
    """An event as soon as its JSON is read; everything else as it is."""
    if raw.keys() != _EVENT:
        return raw
    return Event(**raw | {name: sys.intern(raw[name]) for name in ("kind", "label", "speaker")})


def _decode(raw: dict[str, Any]) -> StreamResult:
    found, clues = raw.pop("findings"), raw.pop("clues", None)
    head = raw | {"status": Status(raw["status"]), "reason": _reason(raw["reason"])}
    head["clues"] = None if clues is None else _decode_clues(clues)
    return StreamResult(findings=None if found is None else _decode_findings(found), **head)


def _decode_clues(raw: dict[str, Any]) -> Clues:
    sound = None if raw["sound"] is None else _unpacked(*raw["sound"])
    movement = tuple(_unpacked(*packed) for packed in raw["movement"])
    return Clues(**raw | {"sound": sound, "movement": movement, "marks_s": tuple(raw["marks_s"])})


def _unpacked(start_s: float, rate: float, values: str) -> Trace:
    return Trace(start_s, rate, np.frombuffer(base64.b64decode(values), dtype="<f2").astype(np.float32))


def _decode_findings(raw: dict[str, Any]) -> Findings:
    measures = tuple(
        Measure(**m | {"window": Window(**m["window"]), "status": Status(m["status"]), "reason": _reason(m["reason"])})
        for m in raw["measures"]
    )
    return Findings(
        **raw
        | {
            "status": Status(raw["status"]),
            "reason": _reason(raw["reason"]),
            "measures": measures,
            "events": tuple(raw["events"]),
            "series": tuple(Series(n, _array(t), _array(v)) for n, t, v in raw["series"]),
            "speakers": tuple(SpeakerRole(**s) for s in raw["speakers"]),
        }
    )


def _reason(code: str | None) -> Reason | None:
    return None if code is None else Reason(code)


def _array(values: list[float | None]) -> FloatArray:
    return np.array([math.nan if v is None else v for v in values], dtype=np.float64)
