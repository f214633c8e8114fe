"""Transcripts beside a recording: WebVTT, SubRip, and the tab-separated tables of DAIC-WOZ."""

from __future__ import annotations

import csv
import html
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cueflow.schemas.errors import StreamError
from cueflow.schemas.reasons import Reason

_STAMP = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_CUE = re.compile(rf"^\s*{_STAMP}\s*-->\s*{_STAMP}")
_VOICE = re.compile(r"^<v(?:\.[\w.]+)?\s+([^>]+)>", re.IGNORECASE)
_NAMED = re.compile(r"^([A-Za-z][\w .-]{0,30}):\s+")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{[^{}]*\}")  # WebVTT's <b>, </b> and <00:01.000>, SubRip's {\an8}
# what was not said: (laughs), [door slams], ♪ music ♪
_NOTE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|（[^（）]*）|【[^【】]*】|[♪♫][^♪♫]*[♪♫]")
_NESTED = 4  # notes within notes, as in ((laughs)): deeper ones nobody writes
_DAIC = ("start_time", "stop_time", "speaker", "value")
UNKNOWN = "unknown"
_NAMED_SHARE = 0.5  # of the utterances: with fewer names, what stands before a colon is no name
_LARGEST = 50_000_000  # bytes: a day of talk is a few million
_ROLES = {
    "participant": "patient", "patient": "patient", "client": "patient", "subject": "patient", "proband": "patient",
    "ellie": "clinician", "clinician": "clinician", "therapist": "clinician", "interviewer": "clinician",
    "doctor": "clinician", "dr": "clinician", "psychologist": "clinician", "psychiatrist": "clinician",
    "physician": "clinician", "psychotherapist": "clinician", "counselor": "clinician", "counsellor": "clinician",
    "nurse": "clinician", "examiner": "clinician",
}  # fmt: skip


_Said = tuple[float, float, str, str]  # start, end, the speaker's name, words


@dataclass(frozen=True, slots=True)
class Utterance:
    """Words between two times, s after the recording's start.

    `role` is patient or clinician; empty where the transcript does not say who speaks; "unknown" where it says a name.
    """

    start_s: float
    end_s: float
    role: str
    text: str


def transcript_beside(root: Path, recording: str) -> str | None:
    """The transcript that belongs to a recording by its name.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    recording : str
        Path of the recording, relative to it.

    Returns
    -------
    str or None
        Relative path of the first that is there: the recording's name with .vtt or .srt, or `300_TRANSCRIPT.csv` for
        `300_AUDIO.wav`.
    """
    path = PurePosixPath(recording)
    names = [path.with_suffix(suffix) for suffix in (".vtt", ".srt")]
    if path.stem.upper().endswith("_AUDIO"):
        names.append(path.with_name(f"{path.stem[: -len('_AUDIO')]}_TRANSCRIPT.csv"))
    return next((str(name) for name in names if (root / name).is_file()), None)


def read_transcript(path: Path) -> tuple[Utterance, ...]:
    """Read a transcript.

    Parameters
    ----------
    path : Path
        `.vtt`, `.srt`, or a tab-separated `.csv` with start_time, stop_time, speaker and value.

    Returns
    -------
    tuple of Utterance
        In the file's order, without markup and without notes in brackets ("(laughs)", "[noise]"), so that one may
        hold no text; a line "Name: words" and a WebVTT voice tag give the speaker. Where all of it is one name's,
        nobody else is meant, and the role is empty.

    Raises
    ------
    StreamError
        FILE_UNREADABLE if it is no text or a time ends before it starts; NOT_A_NUMBER if a time is none;
        COLUMN_MISSING if a column is missing; FILE_EMPTY if it holds no utterance.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise StreamError(
                "the transcript is larger than any talk: is it the right file", reason=Reason.FILE_UNREADABLE
            )
        text = path.read_text(encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        message = "the transcript is not UTF-8 text: save it as UTF-8"
        raise StreamError(message, reason=Reason.FILE_UNREADABLE) from error
    try:
        found = _with_roles(list(_table(text) if path.suffix.lower() == ".csv" else _cues(text)))
    except csv.Error as error:
        message = "the transcript is not a table separated by tabs: export it again"
        raise StreamError(message, reason=Reason.FILE_UNREADABLE) from error
    if not found:
        raise StreamError("the transcript holds no utterance: check its export", reason=Reason.FILE_EMPTY)
    if any(u.end_s < u.start_s for u in found):
        raise StreamError("an utterance of the transcript ends before it starts", reason=Reason.FILE_UNREADABLE)
    return found


def _cues(text: str) -> Iterator[_Said]:
    """Blocks whose time line has an arrow, of WebVTT and SubRip alike."""
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        at = next((i for i, line in enumerate(lines) if _CUE.match(line)), None)
        if at is None:
            continue
        times = _CUE.match(lines[at])
        words = " ".join(line.strip() for line in lines[at + 1 :]).strip()
        if times is not None and words:
            parts = times.groups()
            yield _said(_seconds(parts[:4]), _seconds(parts[4:]), words)


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return 3600.0 * hours + 60.0 * minutes + seconds + thousandths / 1000.0


def _said(start_s: float, end_s: float, words: str) -> _Said:
    tagged = _VOICE.match(words)
    if tagged:
        return start_s, end_s, tagged.group(1), _spoken(words[tagged.end() :])
    spoken = _spoken(words)
    named = _NAMED.match(spoken)
    return start_s, end_s, named.group(1) if named else "", spoken[named.end() :] if named else spoken


def _spoken(words: str) -> str:
    """Words without markup, which may be written as entities too, and without notes on what was heard beside them."""
    plain = _TAG.sub(" ", html.unescape(_TAG.sub(" ", words)))
    for _ in range(_NESTED):
        plain = _NOTE.sub(" ", plain)
    return " ".join(plain.split())


def _with_roles(said: list[_Said]) -> tuple[Utterance, ...]:
    names = {name.strip().casefold() for *_, name, _ in said} - {""}
    named = sum(bool(name.strip()) for *_, name, _ in said) >= _NAMED_SHARE * len(said)
    several = len(names) > 1 or any(map(_known, names))
    return tuple(
        Utterance(start, end, _known(name) or (UNKNOWN if name.strip() and named and several else ""), text)
        for start, end, name, text in said
    )


def _known(name: str) -> str:
    """Role by what a person is called, or by the first word of it ("Dr. Smith")."""
    plain = name.strip().casefold()
    return _ROLES.get(plain, "") or _ROLES.get(re.split(r"[\s.]", plain, maxsplit=1)[0], "")


def _table(text: str) -> Iterator[_Said]:
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    missing = [name for name in _DAIC if name not in (rows.fieldnames or ())]
    if missing:
        message = f"the transcript lacks {', '.join(missing)}: it needs start_time, stop_time, speaker, value by tabs"
        raise StreamError(message, reason=Reason.COLUMN_MISSING)
    for number, row in enumerate(rows, start=2):
        if not (row["value"] or "").strip():
            continue
        start_s, end_s = _number(row["start_time"]), _number(row["stop_time"])
        if not (math.isfinite(start_s) and math.isfinite(end_s)):
            message = f"line {number} of the transcript has a time that is no number"
            raise StreamError(message, reason=Reason.NOT_A_NUMBER)
        yield start_s, end_s, row["speaker"] or "", _spoken(row["value"])


def _number(cell: str | None) -> float:
    try:
        return float(cell or "")
    except ValueError:
        return math.nan
