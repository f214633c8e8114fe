"""The data dictionary: every declared biomarker as JSON, as Markdown and as an Arrow table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cueflow.schemas.biomarkers import (
    ACTION_FORMS,
    BIOMARKERS,
    SERIES,
    Biomarker,
    Evidence,
    of_modality,
    relations_of,
)
from cueflow.schemas.session import Modality

if TYPE_CHECKING:
    import pyarrow as pa

_RESOLVERS = {"doi:": "https://doi.org/", "arxiv:": "https://arxiv.org/abs/"}
_INTRO = """# Data dictionary

Generated from the registry by `cueflow dictionary`; every row of the `biomarkers` table is one of these.
A value outside the plausible range is kept and marked `low_quality`; below the evidence rule there is no value, only a
reason.
"""


def source_url(source: str) -> str | None:
    """Address of a declared source.

    Parameters
    ----------
    source : str
        `doi:…`, `arxiv:…`, `isbn:…`, `cueflow:…` or an address.

    Returns
    -------
    str or None
        None where the source has no address (a book, a page of these docs).
    """
    for prefix, address in _RESOLVERS.items():
        if source.lower().startswith(prefix):
            return address + source[len(prefix) :]
    return source if source.startswith("https://") else None


def evidence_rule(evidence: Evidence) -> str:
    """The evidence rule in words.

    Parameters
    ----------
    evidence : Evidence
        Rule of a biomarker.

    Returns
    -------
    str
        Such as "at least 30 beats, over at least 80 % of the window".
    """
    least = f"at least {evidence.n_min:g} {evidence.unit}"
    share = f"{100 * evidence.coverage_min:.0f} %"
    return f"{least}, over at least {share} of the window" if evidence.coverage_min else least


def dictionary_json() -> list[dict[str, Any]]:
    """Every declared biomarker, ready for `json.dumps`.

    Returns
    -------
    list of dict
        Keys name, modality, unit, statistic, definition, source, range (low and high in `unit`; null where open),
        evidence (n_min, unit, coverage_min), method, aliases and robustness; in the order of the registry.
    """
    return [_entry(declared) for declared in BIOMARKERS.values()]


def _entry(declared: Biomarker) -> dict[str, Any]:
    return {
        "name": declared.name,
        "modality": str(declared.modality),
        "unit": declared.unit,
        "statistic": declared.statistic,
        "definition": declared.definition,
        "source": declared.source,
        "range": [float(end) if math.isfinite(end) else None for end in declared.plausible],
        "evidence": {
            "n_min": float(declared.evidence.n_min),
            "unit": declared.evidence.unit,
            "coverage_min": float(declared.evidence.coverage_min),
        },
        "method": declared.method,
        "aliases": list(declared.aliases),
        "robustness": declared.robustness,
    }


def dictionary_table() -> pa.Table:
    """Every declared biomarker as an Arrow table.

    Returns
    -------
    pyarrow.Table
        The keys of `dictionary_json` as columns; `range` is a list of two, `evidence` a struct.
    """
    import pyarrow as pa

    text = pa.string()
    rule = pa.struct([("n_min", pa.float64()), ("unit", text), ("coverage_min", pa.float64())])
    schema = pa.schema(
        [
            *((name, text) for name in ("name", "modality", "unit", "statistic", "definition", "source")),
            ("range", pa.list_(pa.float64(), 2)),
            ("evidence", rule),
            ("method", text),
            ("aliases", pa.list_(text)),
            ("robustness", text),
        ]
    )
    return pa.Table.from_pylist(dictionary_json(), schema=schema)


def dictionary_markdown() -> str:
    """The dictionary as a page of the docs.

    Returns
    -------
    str
        Markdown, grouped by modality: first the biomarkers, then the per-second series of the `windows` table.
    """
    parts = [_INTRO]
    for modality in Modality:
        declared = (*of_modality(modality.value), *relations_of(modality.value))
        if declared:
            parts.append(f"## {modality.value} ({len(declared)} biomarkers)\n")
            parts.extend(_section(biomarker) for biomarker in declared)
    parts.append(_action_section())
    parts.append(_series_section())
    return "\n".join(part for part in parts if part)


def _section(declared: Biomarker) -> str:
    low, high = declared.plausible
    lines = [
        f"### `{declared.name}`\n",
        f"{declared.definition}\n",
        f"- unit: {declared.unit}; statistic: {declared.statistic}; method: `{declared.method}`",
        f"- plausible: {low:g} to {high:g}; evidence: {evidence_rule(declared.evidence)}",
        f"- source: {_link(declared.source)}",
    ]
    if declared.robustness:
        lines.append(f"- robustness: {declared.robustness}")
    if declared.aliases:
        lines.append(f"- in other tools: {', '.join(f'`{alias}`' for alias in declared.aliases)}")
    return "\n".join(lines) + "\n"


def _action_section() -> str:
    head = (
        "## Actions of your own model\n\nWritten by `cueflow run --action-model`; `label` and `other` stand for the "
        "labels that the model was trained on.\n"
    )
    return "\n".join([head, *(_section(form) for form in ACTION_FORMS.values())])


def _link(source: str) -> str:
    url = source_url(source)
    if url is None:
        return source
    return f"<{url}>" if url == source else f"[{source}]({url})"


def _series_section() -> str:
    if not SERIES:
        return ""
    rows = [f"| `{s.name}` | {s.modality} | {s.unit} | {s.definition} |" for s in SERIES.values()]
    head = [
        "## Per-second series (columns of `windows`)\n",
        "| name | modality | unit | definition |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"
