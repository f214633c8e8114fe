"""The methods paragraph of a paper, for just what the tables hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from cueflow.schemas.biomarkers import in_order
from cueflow.schemas.citations import bibtex, cite_key
from cueflow.schemas.dictionary import evidence_rule
from cueflow.schemas.references import WEIGHTS

if TYPE_CHECKING:
    import polars as pl

    from cueflow.schemas.biomarkers import Biomarker
    from cueflow.schemas.models import LockedModel

_NAMED = 12  # more measures than these are counted by their first words
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


def methods_section(
    sessions: pl.DataFrame,
    biomarkers: pl.DataFrame,
    weights: Mapping[str, LockedModel],
    predictions: pl.DataFrame | None = None,
) -> MethodsText:
    """Write down what was done to get the values with status ok.

    Parameters
    ----------
    sessions : polars.DataFrame
        Rows of the `sessions` table.
    biomarkers : polars.DataFrame
        Rows of the `biomarkers` table.
    weights : mapping
        Hash of pretrained weights to their entry in the lock file.
    predictions : polars.DataFrame, optional
        Rows of the `predictions` table.

    Returns
    -------
    MethodsText
        With Pandoc's citations (`[@key]`), each with an entry in the bibliography.
    """
    import polars as pl

    used = biomarkers.filter(pl.col("value").is_not_null())
    measures = in_order(used["biomarker"].unique())
    models = _models(used, weights)
    parts = [
        _opening(sessions),
        *_modalities(used, measures),
        _rules(biomarkers, measures),
        _weights(models),
        "" if predictions is None else _fusion(predictions),
    ]
    described = [WEIGHTS[m.name] for m in models.values() if m and m.name in WEIGHTS]
    sources = dict.fromkeys(["cueflow:", *(measure.source for measure in measures), *described])
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
    import polars as pl

    versions: dict[tuple[str, str], list[str]] = {}
    known = used.select("modality", "method", "method_version").unique().sort(pl.all())
    for modality, method, version in known.iter_rows():
        versions.setdefault((modality, method), []).append(version or "")
    said = []
    for modality, group in groupby(measures, key=lambda b: b.modality):
        declared = list(group)
        methods = dict.fromkeys(b.method for b in declared)
        cited = dict.fromkeys(cite_key(b.source) for b in declared)
        steps = ", ".join(f"{m} {' and '.join(versions.get((modality, m), []))}".strip() for m in methods)
        keys = "; ".join(f"@{key}" for key in cited)
        what = _WHAT.get(modality, modality)
        listed = _listed(declared)
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


def _listed(measures: Sequence[Biomarker]) -> str:
    """Names, or of many the first words of the names and how many begin so."""
    if len(measures) <= _NAMED:
        return ", ".join(b.name for b in measures)
    kinds = Counter(b.name.split("_", 1)[0] for b in measures)
    return ", ".join(f"{kind}_… {n}" for kind, n in kinds.items()) + "; the data dictionary defines each"


def _models(used: pl.DataFrame, weights: Mapping[str, LockedModel]) -> dict[str, LockedModel | None]:
    """Hashes of the weights that the values rest on; a stage with several joins theirs by a plus sign."""
    hashes = used["model_sha256"].drop_nulls().unique().sort().to_list()
    return {one: weights.get(one) for several in hashes for one in several.split("+") if one}


def _weights(models: Mapping[str, LockedModel | None]) -> str:
    said, own = [], []
    for sha256, model in models.items():
        if model is None:
            own.append(f"SHA-256 {sha256[:12]}")
        else:
            cited = f" [@{cite_key(WEIGHTS[model.name])}]" if model.name in WEIGHTS else ""
            said.append(f"{model.name} ({model.maker}{cited}; SHA-256 {sha256[:12]})")
    parts = [f"Pretrained weights, unchanged: {'; '.join(said)}."] if said else []
    return " ".join([*parts, *([f"Models of our own: {'; '.join(own)}."] if own else [])])


def _fusion(predictions: pl.DataFrame) -> str:
    said = []
    for (target, sha256), rows in predictions.group_by("target", "model_sha256", maintain_order=True):
        answered = rows.height - int(rows["abstained"].fill_null(value=False).sum())
        said.append(
            f"{target} (model with SHA-256 {str(sha256)[:12]}; {answered} of {rows.height} sessions, "
            "declined in the others)"
        )
    if not said:
        return ""
    return (
        f"Predicted by late fusion of one calibrated additive model for each modality [@cueflow]: {'; '.join(said)}. "
        "The contributions of the measures and the bias add up to the log-odds."
    )
