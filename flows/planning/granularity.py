"""What one task of Prefect is."""

from __future__ import annotations

from enum import StrEnum

_BY_MODALITY_UP_TO = 1_000
_BY_SESSION_UP_TO = 10_000


class Granularity(StrEnum):
    """What one task of Prefect is."""

    AUTO = "auto"
    MODALITY = "modality"
    SESSION = "session"
    CHUNK = "chunk"

    def for_sessions(self, count: int) -> Granularity:
        """The granularity for so many sessions: small tasks where there are few, since each costs Prefect time."""
        if self is not Granularity.AUTO:
            return self
        if count <= _BY_MODALITY_UP_TO:
            return Granularity.MODALITY
        return Granularity.SESSION if count <= _BY_SESSION_UP_TO else Granularity.CHUNK
