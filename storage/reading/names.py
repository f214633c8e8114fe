"""What biomarkers are called here that a question names as other tools, or earlier versions, do."""

from __future__ import annotations

import re

from cueflow.schemas.biomarkers import find_biomarker, named_elsewhere

_TEXT = re.compile(r"'%?([\w.-]+?)%?'")  # what a column is compared with, LIKE's percent signs left out
_UNKNOWN = re.compile(r'column (?:named )?"([^"]+)"')  # in DuckDB's message: the column that is not there


def names_in(sql: str) -> tuple[str, ...]:
    """Names of other tools that a question compares with.

    Parameters
    ----------
    sql : str
        The question.

    Returns
    -------
    tuple of str
        A sentence about each: "CPPS is called voice_cpps here (cueflow dictionary)."
    """
    return tuple(said for name in dict.fromkeys(_TEXT.findall(sql)) if (said := _sentence(name)))


def unknown_column(message: str) -> str:
    """The sentence about the column that DuckDB did not find; empty where nobody calls a biomarker so.

    Parameters
    ----------
    message : str
        DuckDB's.

    Returns
    -------
    str
    """
    found = _UNKNOWN.search(message)
    return _sentence(found.group(1)) if found else ""


def _sentence(name: str) -> str:
    here = () if find_biomarker(name) else named_elsewhere(name)
    return f"{name} is called {' or '.join(here)} here (cueflow dictionary)." if here else ""
