"""How numbers, times, names and reasons read on a page."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from cueflow.schemas.reasons import Reason, Status

NOTHING = "–"
_TAKEN = frozenset(
    {"index", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
)
MODALITY_TITLES = {
    "video": "Video",
    "audio": "Voice",
    "ecg": "Heart (ECG)",
    "intervals": "Heart (beat to beat)",
    "ppg": "Pulse (PPG)",
    "eda": "Skin conductance (EDA)",
    "respiration": "Breathing",
    "accelerometer": "Acceleration",
    "temperature": "Temperature",
    "physiology": "Physiology",
}
_WORDS = {
    Status.OK: "ok",
    Status.LOW_QUALITY: "low quality",
    Status.TOO_SHORT: "too short",
    Status.ABSENT: "absent",
    Status.FAILED: "failed",
}
_SHORT = re.compile(
    r"acc|cpps?|dda|ddp|ecg|eda|f\d|hfn?|hnr|hrv?|ibi|lfn?|lfhf|mfcc\d|[a-z]+nn\d*|[a-z]*bb|ppg|prv|[ap]pq\d+|rap|rmssd"
    r"|rrv|rsp|scl|scr|sdsd|sd\d|snr"
)
_SPELT = {"hz": "Hz", "db": "dB"}


def page_name(session_id: str) -> str:
    """File name of a session's page.

    Parameters
    ----------
    session_id : str
        As the manifest names it.

    Returns
    -------
    str
        Safe on every file system and inside a relative address. Sessions that differ only in what had to be replaced
        keep pages of their own, and none takes the cohort's.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", session_id)
    if safe != session_id or safe.lower() in _TAKEN:
        safe = f"{safe}-{hashlib.sha256(session_id.encode()).hexdigest()[:8]}"
    return f"{safe}.html"


def page_names(session_ids: Iterable[str]) -> dict[str, str]:
    """File names of the pages of many sessions.

    Parameters
    ----------
    session_ids : iterable of str
        All sessions of the tables.

    Returns
    -------
    dict
        Those that differ only in case keep pages of their own on file systems that do not tell cases apart.
    """
    names = {session_id: page_name(session_id) for session_id in session_ids}
    folded = Counter(name.lower() for name in names.values())
    return {
        session_id: name
        if folded[name.lower()] == 1
        else f"{name.removesuffix('.html')}-{hashlib.sha256(session_id.encode()).hexdigest()[:8]}.html"
        for session_id, name in names.items()
    }


def as_float(value: object) -> float | None:
    """A cell of a table as a finite number.

    Parameters
    ----------
    value : object
        What the row holds.

    Returns
    -------
    float or None
        None for null, NaN, infinity and anything that is no number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def as_text(value: object) -> str:
    """A cell of a table as text; null becomes the empty text.

    Parameters
    ----------
    value : object
        What the row holds.

    Returns
    -------
    str
    """
    return "" if value is None else str(value)


def number(value: object) -> str:
    """A number with four significant digits at most, thousands set apart by a thin space.

    Parameters
    ----------
    value : object
        A number or null.

    Returns
    -------
    str
        A dash for null.
    """
    found = as_float(value)
    if found is None:
        return NOTHING
    found += 0.0  # no minus before a zero
    if abs(found) >= 1000:
        return f"{found:,.0f}".replace(",", "\u202f").replace("-", "\u2212")
    text = f"{found:.4g}" if abs(found) >= 1e-4 or found == 0 else f"{found:.1e}"
    return text.replace("-", "\u2212")


def percent(share: object) -> str:
    """A share of 1 in per cent.

    Parameters
    ----------
    share : object
        0 to 1, or null.

    Returns
    -------
    str
        A dash for null; never "100 %" or "0 %" for a share that is not quite that.
    """
    found = as_float(share)
    if found is None:
        return NOTHING
    whole = 100 * found
    if 0 < whole < 1:
        return "<1\u00a0%"
    return f"{min(round(whole), 99) if whole < 100 else round(whole)}\u00a0%"


def clock(seconds: object, *, tenths: bool = False) -> str:
    """A time of the session as m:ss or h:mm:ss.

    Parameters
    ----------
    seconds : object
        Seconds on the session clock, or null.
    tenths : bool, optional
        Add tenths of a second.

    Returns
    -------
    str
        A dash for null.
    """
    found = as_float(seconds)
    if found is None:
        return NOTHING
    sign = "\u2212" if found < 0 else ""
    units = round(abs(found) * (10 if tenths else 1))
    whole, tenth = divmod(units, 10) if tenths else (units, 0)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return f"{sign}{text}.{tenth}" if tenths else sign + text


def instant(value: object) -> str:
    """A time stamp to the second.

    Parameters
    ----------
    value : object
        A date and time in UTC, or null.

    Returns
    -------
    str
        A dash for null.
    """
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else NOTHING


def title_of(name: str) -> str:
    """A registry name as people read it.

    Parameters
    ----------
    name : str
        Snake case.

    Returns
    -------
    str
        `hrv_rmssd` becomes "HRV RMSSD", `head_speed_p95` "Head speed p95".
    """
    text = " ".join(_SPELT.get(w, w.upper() if _SHORT.fullmatch(w) else w) for w in name.split("_"))
    return text[:1].upper() + text[1:]


def domain_of(name: str) -> str:
    """The first word of a registry name, which says what it is about.

    Parameters
    ----------
    name : str
        `<domain>_<measure>_<statistic>`.

    Returns
    -------
    str
    """
    return title_of(name.split("_", 1)[0])


def sentence_of(reason: object) -> str:
    """A reason code as a sentence.

    Parameters
    ----------
    reason : object
        A code of `Reason`, or null.

    Returns
    -------
    str
        The code itself where this version does not know it; empty for null.
    """
    code = as_text(reason)
    try:
        return Reason(code).sentence if code else ""
    except ValueError:
        return code


def word_of(status: object) -> str:
    """A state in words.

    Parameters
    ----------
    status : object
        A code of `Status`, `degraded`, or null.

    Returns
    -------
    str
        "unknown" for null.
    """
    code = as_text(status)
    try:
        return _WORDS[Status(code)] if code else "unknown"
    except ValueError:
        return code.replace("_", " ")


def title_of_modality(modality: object) -> str:
    """A modality or stage as a heading.

    Parameters
    ----------
    modality : object
        As the tables name it.

    Returns
    -------
    str
    """
    code = as_text(modality)
    return MODALITY_TITLES.get(code, title_of(code) or "Other")
