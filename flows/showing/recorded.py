"""Where a recording stands on the session clock, as the run that wrote the tables found it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cueflow.schemas.session import Stream


def start_of(stream: Stream, session: Mapping[str, Any], *, at_s: float) -> float:
    """The recording's zero on the session clock, as it holds around a moment.

    Parameters
    ----------
    stream : Stream
        As the manifest declares it.
    session : mapping
        Row of the `sessions` table; its `sync` says what was estimated.
    at_s : float
        The moment, session clock, s: drift and jumps of the recorder's clock up to it are in.

    Returns
    -------
    float
        What the manifest says, or 0, where the row says nothing of the stream.
    """
    own = (stream.modality, stream.role, stream.channel or "")
    for record in json.loads(session.get("sync") or "[]"):
        if (record.get("modality"), record.get("role"), record.get("channel") or "") == own:
            jumps = record.get("jumps") or ()
            start = float(record["offset_s"]) + sum(by_s for jump_s, by_s, *_ in jumps if jump_s <= at_s)
            return float(start + 1e-6 * float(record.get("drift_ppm") or 0.0) * (at_s - start))
    return stream.start_s or 0.0
