"""Which of a session's streams can be used, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Problem, Stream
from cueflow.tasks.ingest.paths import resolve_inside

_SIDES = {"left": "0", "right": "1"}


def check_streams(root: Path, candidates: Iterable[Stream | Problem]) -> tuple[list[Stream], list[Problem]]:
    """Keep the streams whose file is there and whose key is the only one of its kind.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    candidates : iterable of Stream or Problem
        Rows of one session; problems pass through.

    Returns
    -------
    tuple of list of Stream and list of Problem
        Of two streams with one key the first stays.
    """
    streams: dict[tuple[str, str, str], Stream] = {}
    problems: list[Problem] = []
    good: dict[str, StreamError | None] = {}
    for candidate in candidates:
        if isinstance(candidate, Problem):
            problems.append(candidate)
            continue
        if candidate.path not in good:
            good[candidate.path] = _trouble(root, candidate.path)
        if (error := good[candidate.path]) is not None:
            problems.append(_of_stream(error.reason, error.message, candidate))
        elif candidate.key in streams:
            message = f"a second {candidate.modality} stream of role {candidate.role}: give it another channel or role"
            problems.append(_of_stream(Reason.DUPLICATE_STREAM, message, candidate))
        elif (twin := _same_sound(candidate, streams.values())) is not None:
            message = f"the same sound as the {twin.role}'s: give each the channel of their microphone, or role room"
            problems.append(_of_stream(Reason.DUPLICATE_STREAM, message, candidate))
        else:
            streams[candidate.key] = candidate
    return list(streams.values()), problems


def _of_stream(reason: Reason, message: str, stream: Stream) -> Problem:
    problem = problem_of(reason, message, stream.path, stream.modality)
    return replace(problem, role=stream.role.value, channel=stream.channel)


def _same_sound(one: Stream, others: Iterable[Stream]) -> Stream | None:
    """A stream of the other person that reads what this one does: each would be said to speak as the other does."""
    own = {"patient", "clinician"}
    return next(
        (
            other
            for other in others
            if one.modality == other.modality == "audio"
            and one.path == other.path
            and _SIDES.get(one.channel, one.channel) == _SIDES.get(other.channel, other.channel)
            and {one.role, other.role} == own
        ),
        None,
    )


def _trouble(root: Path, path: str) -> StreamError | None:
    try:
        resolve_inside(root, path)
    except StreamError as error:
        return error
    return None


def problem_of(reason: Reason, message: str, path: str, modality: str) -> Problem:
    """A problem of a row; of a path that leaves the folder only the file's name is kept.

    Parameters
    ----------
    reason : Reason
        Code.
    message : str
        One line for people.
    path : str
        As the manifest writes it.
    modality : str
        As the manifest writes it.

    Returns
    -------
    Problem
    """
    plain = PurePosixPath(path.replace("\\", "/"))
    outside = plain.is_absolute() or ".." in plain.parts or ":" in path
    return Problem(reason, message, plain.name if outside else path, modality[:40])


def closing_problems(streams: Sequence[Stream], problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The problems of a session, with one more where no stream is left.

    Parameters
    ----------
    streams : sequence of Stream
        Those that can be used.
    problems : sequence of Problem
        Those of its rows.

    Returns
    -------
    tuple of Problem
    """
    if streams:
        return tuple(problems)
    nothing = Problem(Reason.NO_USABLE_STREAM, "no recording of the session can be used: correct the rows named above")
    return (*problems, nothing)
