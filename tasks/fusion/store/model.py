"""A fusion model: what it learned, what it was shown, and the hash that names it."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.tasks.fusion.data.baseline import Baseline, Own, Scaler
from cueflow.tasks.fusion.data.features import FloatArray
from cueflow.tasks.fusion.data.labels import Target
from cueflow.tasks.fusion.learn.experts import Candidate, Expert
from cueflow.tasks.fusion.learn.joint import Additive, Joint
from cueflow.tasks.fusion.learn.pipeline import Part, Pipeline, Settings
from cueflow.tasks.fusion.learn.posterior import Posterior
from cueflow.tasks.fusion.learn.stability import Refit
from cueflow.tasks.fusion.learn.weights import Fusion, PatternWeights, Platt, Shrinkage

FORMAT = "cueflow-fusion"
VERSION = 6
_POSTERIOR = ("effects", "shifts", "usual")


@dataclass(frozen=True)
class FusionModel:
    """A trained model.

    `columns` are the biomarkers of each modality in the order of the parts; `references` the own baselines of training
    subjects by `subject_key` (only with a subject baseline); `people` names who it was trained on, by `person_mark`;
    `methods` the versions of the methods behind each
    biomarker; `decision` the probability from which on the answer is "present"; `counts` what it was shown; `warnings`
    what to know before believing it; `refits` the experts of resampled persons, and `agreement` how alike they rank
    the biomarkers.
    """

    target: Target
    pipeline: Pipeline
    columns: Mapping[str, tuple[str, ...]]
    references: Mapping[str, Mapping[str, Own]]
    people: frozenset[str]
    methods: Mapping[str, tuple[str, ...]]
    rest_phase: str | None
    decision: float
    min_support: float
    counts: Mapping[str, int]
    warnings: tuple[str, ...]
    refits: tuple[Refit, ...]
    agreement: float

    @cached_property
    def sha256(self) -> str:
        """Hash of everything in the model."""
        return digest(self.to_json())

    def knows(self, subject_id: str) -> bool:
        """Whether it was trained on a subject: then it must be trained again once the subject is erased."""
        return person_mark(subject_id, self.salt) in self.people

    @property
    def salt(self) -> str:
        """What the marks of people are made with: another one for every model."""
        return salt_of(self.pipeline)

    @property
    def level(self) -> float:
        """Coverage of the intervals."""
        return self.pipeline.settings.level

    def to_json(self) -> dict[str, Any]:
        """The model as JSON values; numbers keep every bit."""
        return {
            "target": {"name": self.target.name, "threshold": self.target.threshold},
            "pipeline": _pipeline_json(self.pipeline),
            "columns": {name: list(columns) for name, columns in self.columns.items()},
            "references": {
                modality: {who: _own_json(own) for who, own in owns.items()}
                for modality, owns in self.references.items()
            },
            "people": sorted(self.people),
            "methods": {name: list(versions) for name, versions in self.methods.items()},
            "rest_phase": self.rest_phase,
            "decision": self.decision,
            "min_support": self.min_support,
            "counts": dict(self.counts),
            "warnings": list(self.warnings),
            "refits": [_refit_json(refit) for refit in self.refits],
            "agreement": _number(self.agreement),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> FusionModel:
        """Rebuild a model.

        Parameters
        ----------
        values : mapping
            What `to_json` made.

        Returns
        -------
        FusionModel

        Raises
        ------
        FusionError
            If a part is missing or of the wrong kind.
        """
        try:
            return _rebuild(values)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise FusionError("the model file is incomplete; train it again", reason=Reason.MODEL_HASH) from error


def salt_of(pipeline: Pipeline) -> str:
    """Hash of what was learned: two models have the same marks for nobody.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.

    Returns
    -------
    str
    """
    return digest(_pipeline_json(pipeline))


def person_mark(subject_id: str, salt: str) -> str:
    """How a model remembers that it was trained on a subject, without a list of names.

    Parameters
    ----------
    subject_id : str
        As the table names the subject.
    salt : str
        Of the model.

    Returns
    -------
    str
        16 hex digits.
    """
    return hmac.new(salt.encode(), subject_id.encode(), hashlib.sha256).hexdigest()[:16]


def digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of JSON values, independent of the order they were written in.

    Parameters
    ----------
    values : mapping
        JSON values.

    Returns
    -------
    str
        Hex digits.
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinity: NaN is null, infinity is left to the caller."""
    return float(value) if np.isfinite(value) else None


def _list(values: FloatArray) -> list[Any]:
    return [_number(v) if v.ndim == 0 else _list(v) for v in np.asarray(values)]


def _array(values: list[Any]) -> FloatArray:
    return np.array(values, dtype=np.float64)


def _own_json(own: Own) -> dict[str, Any]:
    return {"location": _list(own.location), "scale": _list(own.scale), "count": _list(own.count)}


def _expert_json(expert: Expert) -> dict[str, Any]:
    scaler, c = expert.scaler, expert.candidate
    return {
        "scaler": {name: _list(getattr(scaler, name)) for name in ("location", "scale", "low", "high")},
        "bias": expert.bias,
        "slope": _list(expert.slope),
        "bend": _list(expert.bend),
        "missing": _list(expert.missing),
        "cuts": [_list(cuts) for cuts in expert.cuts],
        "steps": [_list(steps) for steps in expert.steps],
        "candidate": {"kind": c.kind, "l1_ratio": c.l1_ratio, "share": c.share, "rounds": c.rounds},
    }


def _expert(values: Mapping[str, Any]) -> Expert:
    return Expert(
        scaler=Scaler(**{name: _array(numbers) for name, numbers in values["scaler"].items()}),
        bias=values["bias"],
        slope=_array(values["slope"]),
        bend=_array(values["bend"]),
        missing=_array(values["missing"]),
        cuts=tuple(_array(v) for v in values["cuts"]),
        steps=tuple(_array(v) for v in values["steps"]),
        candidate=Candidate(**values["candidate"]),
    )


def _refit_json(refit: Refit) -> dict[str, Any]:
    joint = None if refit.joint is None else _additive_json(refit.joint)
    return {"experts": [_expert_json(expert) for expert in refit.experts], "joint": joint}


def _refit(values: Mapping[str, Any]) -> Refit:
    joint = None if values["joint"] is None else _additive(values["joint"])
    return Refit(tuple(_expert(expert) for expert in values["experts"]), joint)


def _posterior_json(posterior: Posterior | None) -> dict[str, Any] | None:
    if posterior is None:
        return None
    return {name: _list(getattr(posterior, name)) for name in _POSTERIOR}


def _posterior(values: Mapping[str, Any] | None) -> Posterior | None:
    if values is None:
        return None
    return Posterior(**{name: _array(values[name]) for name in _POSTERIOR})


def _additive_json(additive: Additive) -> dict[str, Any]:
    experts, doubt = [_expert_json(expert) for expert in additive.experts], [_list(own) for own in additive.doubt]
    return {"bias": additive.bias, "experts": experts, "doubt": doubt, "factor": additive.factor}


def _additive(values: Mapping[str, Any]) -> Additive:
    experts, doubt = tuple(map(_expert, values["experts"])), tuple(map(_array, values["doubt"]))
    return Additive(values["bias"], experts, doubt, values["factor"])


def _joint_json(joint: Joint | None) -> dict[str, Any] | None:
    if joint is None:
        return None
    platt = [joint.platt.intercept, joint.platt.slope]
    return {"additive": _additive_json(joint.additive), "platt": platt, "share": joint.share, "less": joint.less}


def _joint(values: Mapping[str, Any] | None) -> Joint | None:
    if values is None:
        return None
    return Joint(_additive(values["additive"]), Platt(*values["platt"]), values["share"], values["less"])


def _shrinkage(towards: str, strength: float | None) -> Shrinkage:
    return Shrinkage(towards, np.inf if strength is None else strength)


def _pipeline_json(pipeline: Pipeline) -> dict[str, Any]:
    settings, fusion = pipeline.settings, pipeline.fusion
    return {
        "settings": {
            "baseline": settings.baseline.value,
            "kinds": list(settings.kinds),
            "folds": settings.folds,
            "seed": settings.seed,
            "level": settings.level,
        },
        "parts": [
            {
                "modality": part.modality,
                "expert": _expert_json(part.expert),
                "platt": [part.platt.intercept, part.platt.slope],
                "importance": _list(part.importance),
                "strength": part.strength,
                "limit": _number(part.limit),
            }
            for part in pipeline.parts
        ],
        "fusion": {
            "usual": _list(fusion.usual),
            "patterns": [[list(e.pattern), e.bias, list(e.weights)] for e in fusion.patterns],
            "shrinkage": [fusion.shrinkage.towards, _number(fusion.shrinkage.strength)],
            "best": fusion.best,
        },
        "final": [pipeline.final.intercept, pipeline.final.slope],
        "strangeness": pipeline.strangeness,
        "posterior": _posterior_json(pipeline.posterior),
        "prior": pipeline.prior,
        "joint": _joint_json(pipeline.joint),
    }


def _pipeline(values: Mapping[str, Any]) -> Pipeline:
    settings, fusion = values["settings"], values["fusion"]
    return Pipeline(
        settings=Settings(
            Baseline(settings["baseline"]),
            tuple(settings["kinds"]),
            settings["folds"],
            settings["seed"],
            settings["level"],
        ),
        parts=tuple(
            Part(
                modality=part["modality"],
                expert=_expert(part["expert"]),
                platt=Platt(*part["platt"]),
                importance=_array(part["importance"]),
                strength=part["strength"],
                limit=np.inf if part["limit"] is None else part["limit"],
            )
            for part in values["parts"]
        ),
        fusion=Fusion(
            usual=_array(fusion["usual"]),
            patterns=tuple(PatternWeights(tuple(p), bias, tuple(w)) for p, bias, w in fusion["patterns"]),
            shrinkage=_shrinkage(*fusion["shrinkage"]),
            best=fusion["best"],
        ),
        final=Platt(*values["final"]),
        strangeness=values["strangeness"],
        posterior=_posterior(values["posterior"]),
        prior=values["prior"],
        joint=_joint(values["joint"]),
    )


def _rebuild(values: Mapping[str, Any]) -> FusionModel:
    return FusionModel(
        target=Target(values["target"]["name"], values["target"]["threshold"]),
        pipeline=_pipeline(values["pipeline"]),
        columns={name: tuple(columns) for name, columns in values["columns"].items()},
        references={
            modality: {who: Own(**{k: _array(v) for k, v in own.items()}) for who, own in owns.items()}
            for modality, owns in values["references"].items()
        },
        people=frozenset(values["people"]),
        methods={name: tuple(versions) for name, versions in values["methods"].items()},
        rest_phase=values["rest_phase"],
        decision=values["decision"],
        min_support=values["min_support"],
        counts=dict(values["counts"]),
        warnings=tuple(values["warnings"]),
        refits=tuple(_refit(refit) for refit in values["refits"]),
        agreement=np.nan if values["agreement"] is None else values["agreement"],
    )
