"""Sources of the measures as BibTeX; one that is not listed here is cited by its address alone."""

from __future__ import annotations

import re

from cueflow import __version__
from cueflow.schemas.references import REFERENCES


def cite_key(source: str) -> str:
    """Name of a source in a bibliography.

    Parameters
    ----------
    source : str
        As a biomarker declares it.

    Returns
    -------
    str
        Letters and digits; the pages of these docs are cited as the software.
    """
    if source.startswith("cueflow:"):
        return "cueflow"
    known = REFERENCES.get(source.lower())
    return known[1] if known else re.sub(r"[^a-z0-9]+", "", source.lower().removeprefix("https://www."))[:40]


def bibtex(source: str) -> str:
    """A source as a BibTeX entry.

    Parameters
    ----------
    source : str
        As a biomarker declares it.

    Returns
    -------
    str
    """
    if source.startswith("cueflow:"):
        fields = {"title": "cueflow: explained biomarkers from recordings of clinical sessions", "version": __version__}
        return _entry("software", "cueflow", fields)
    kind, key, fields = REFERENCES.get(source.lower(), ("misc", cite_key(source), {}))
    return _entry(kind, key, {**fields, **_address(source)})


def _address(source: str) -> dict[str, str]:
    kind, _, rest = source.partition(":")
    match kind.lower():
        case "doi":
            return {"doi": rest}
        case "arxiv":
            return {"eprint": rest, "archiveprefix": "arXiv"}
        case "isbn":
            return {"isbn": rest}
    return {"url": source}


def _entry(kind: str, key: str, fields: dict[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
