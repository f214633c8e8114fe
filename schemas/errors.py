"""Typed errors: what went wrong, as a class, a reason code and one line for people."""

from __future__ import annotations

from cueflow.schemas.reasons import Reason


class CueflowError(Exception):
    """Expected trouble: carries the reason code that ends up in the tables.

    Parameters
    ----------
    message : str
        One line for people: what is wrong and what to do next. No subject names, no absolute paths.
    reason : Reason, optional
        Code that is more exact than the class's own.
    """

    default: Reason = Reason.UNEXPECTED

    def __init__(self, message: str, *, reason: Reason | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default

    def __reduce__(self) -> tuple[object, tuple[str, Reason]]:
        """Errors cross process borders with their reason."""
        return _rebuild, (type(self), self.message, self.reason)  # type: ignore[return-value]


def _rebuild(kind: type[CueflowError], message: str, reason: Reason) -> CueflowError:
    return kind(message, reason=reason)


# Messages with these reasons quote a manifest's or file's own words, which may hold a name.
_QUOTING = frozenset(
    {
        Reason.COLUMN_MISSING,
        Reason.MANIFEST_INVALID,
        Reason.MODALITY_UNKNOWN,
        Reason.UNIT_UNKNOWN,
    }
)


def storable(reason: Reason, message: str) -> str:
    """What of a message may stay in tables and caches: nothing that quotes a manifest or a file's header.

    Parameters
    ----------
    reason : Reason
        The error's code.
    message : str
        The error's line for people.

    Returns
    -------
    str
        The message, or the reason's sentence in its place; `cueflow check` shows the message on the terminal.
    """
    return f"{reason.sentence} (cueflow check says which.)" if reason in _QUOTING else message


class DatasetError(CueflowError):
    """The dataset as a whole cannot be used (exit code 2)."""

    default = Reason.MANIFEST_INVALID


class ConfigError(CueflowError):
    """The configuration or a parameter cannot be used (exit code 2)."""

    default = Reason.CONFIG_INVALID


class StreamError(CueflowError):
    """One recording cannot be used; the session goes on without it."""

    default = Reason.FILE_UNREADABLE


class ModelError(CueflowError):
    """A pretrained model is missing or is not the one in the lock file."""

    default = Reason.MODEL_MISSING


class TablesError(CueflowError):
    """The tables cannot be read or written."""

    default = Reason.TABLES_INVALID


class DiskFullError(TablesError):
    """No space left while writing; what was there before stays."""

    default = Reason.DISK_FULL


class StoreError(CueflowError):
    """A shared store that cannot be reached, or refuses."""

    default = Reason.STORE_UNREACHABLE


class ForeignOutputError(TablesError):
    """The output folder belongs to another dataset."""

    default = Reason.OUTPUT_FOREIGN


class QueryError(CueflowError):
    """The SQL is wrong or not allowed."""

    default = Reason.QUERY_REFUSED


class FusionError(CueflowError):
    """A fusion model cannot be trained, read or applied."""

    default = Reason.FEW_SUBJECTS


class TooShortError(CueflowError):
    """The data is too short for the measure."""

    default = Reason.FEW_EVIDENCE
