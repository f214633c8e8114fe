"""The methods paragraph of a paper, for just what the tables hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from cueflow.schemas.biomarkers import in_order
from cueflow.schemas.citations import bibtex, cite_key
from cueflow.schemas.dictionary import evidence_rule

if TYPE_CHECKING:
    import polars as pl

    from cueflow.schemas.biomarkers import Biomarker

_WHAT = {
    "video": "video of the face and body",
    "audio": "voice",
    "ecg": "electrocardiogram",
    "ppg": "photoplethysmogram",
    "eda": "electrodermal activity",
    "respiration": "breathing",
    "accelerometer": "acceleration",
    "temperature": "temperature",
    "intervals": "beat-to-beat intervals",
}


@dataclass(frozen=True, slots=True)
class MethodsText:
    """Markdown for the paper, and its bibliography."""

    text: str
    bibtex: str


def methods_section(sessions: pl.DataFrame, biomarkers: pl.DataFrame, weights: Mapping[str, str]) -> MethodsText:
    """Write down what was done to get the values with status ok.

    Parameters
    ----------
    sessions : polars.DataFrame
        Rows of the `sessions` table.
    biomarkers : polars.DataFrame
        Rows of the `biomarkers` table.
    weights : mapping
        Hash of a pretrained model to its name and maker.

    Returns
    -------
    MethodsText
        With Pandoc's citations (`[@key]`), each with an entry in the bibliography.
    """
    import polars as pl

    used = biomarkers.filter(pl.col("value").is_not_null())
    measures = in_order(used["biomarker"].unique())
    parts = [_opening(sessions), *_modalities(used, measures), _rules(biomarkers, measures), _weights(used, weights)]
    sources = ["cueflow:", *dict.fromkeys(measure.source for measure in measures)]
    entries = {cite_key(source): bibtex(source) for source in sources}
    return MethodsText("\n\n".join(part for part in parts if part) + "\n", "\n\n".join(entries.values()) + "\n")


def _opening(sessions: pl.DataFrame) -> str:
    people, hours = sessions["subject_id"].n_unique(), (sessions["duration_s"].sum() or 0.0) / 3600
    versions = ", ".join(sorted(str(v) for v in sessions["cueflow_version"].drop_nulls().unique()))
    settings = sessions["config_hash"].drop_nulls().unique().sort().to_list()
    same = (
        f"one set of parameters (hash {settings[0][:12]})"
        if len(settings) == 1
        else f"{len(settings)} sets of parameters"
    )
    return (
        f"Recordings of {sessions.height} sessions of {people} subjects ({hours:.1f} hours) were processed with "
        f"cueflow {versions} [@cueflow] under {same}. All streams of a session were placed on one clock by their time "
        "stamps; no value was imputed, and no measure crosses a gap."
    )


def _modalities(used: pl.DataFrame, measures: Sequence[Biomarker]) -> list[str]:
    versions = {
        (modality, method): version
        for modality, method, version in used.select("modality", "method", "method_version")
        .unique()
        .sort("method_version")
        .iter_rows()
    }
    said = []
    for modality, group in groupby(measures, key=lambda b: b.modality):
        declared = list(group)
        methods = dict.fromkeys(b.method for b in declared)
        cited = dict.fromkeys(cite_key(b.source) for b in declared)
        steps = ", ".join(f"{m} {versions.get((modality, m), '')}".strip() for m in methods)
        keys = "; ".join(f"@{key}" for key in cited)
        what = _WHAT.get(modality, modality)
        listed = ", ".join(b.name for b in declared)
        said.append(
            f"From the {what}, {len(declared)} measures were computed ({listed}) as defined in [{keys}]; methods and "
            f"versions: {steps}."
        )
    return said


def _rules(biomarkers: pl.DataFrame, measures: Sequence[Biomarker]) -> str:
    if not measures:
        return "The tables hold no values."
    n, ok = biomarkers.height, (biomarkers["status"] == "ok").sum()
    rules = dict.fromkeys(evidence_rule(measure.evidence) for measure in measures)
    shown = "; ".join(list(rules)[:8]) + ("; …" if len(rules) > 8 else "")
    return (
        f"A value was reported only where it rested on enough evidence ({shown}); values outside of a plausible range "
        f"were marked as of low quality. Of {n} values, {ok} ({100 * ok / n:.0f} %) were ok."
    )


def _weights(used: pl.DataFrame, weights: Mapping[str, str]) -> str:
    hashes = [h for h in used["model_sha256"].drop_nulls().unique().sort().to_list() if h]
    known = [f"{weights.get(h, 'weights')} (SHA-256 {h[:12]})" for h in hashes]
    return f"Pretrained weights, unchanged: {'; '.join(known)}." if known else ""
