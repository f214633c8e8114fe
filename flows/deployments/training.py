"""Training of the late fusion as a flow, for the UI."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from pydantic import Field

from cueflow.flows.deployments.artifacts import tell_text
from cueflow.flows.deployments.forms import form, refused
from cueflow.flows.roots import allowed
from cueflow.flows.train import biomarker_frame
from cueflow.schemas.errors import CueflowError


class Baseline(StrEnum):
    """What values are compared to."""

    NONE = "none"
    COHORT = "cohort"
    SUBJECT = "subject"
    PHASE = "phase"


@flow(name="train", persist_result=False)
@form
def train(  # noqa: PLR0913, PLR0917 - flat parameters become the form in Prefect's UI
    tables: str,
    labels: str,
    target: Annotated[str, Field(min_length=1, max_length=200)],
    out: str,
    baseline: Baseline = Baseline.NONE,
    threshold: float | None = None,
    rest_phase: str = "",
    min_subjects: Annotated[int, Field(ge=4, le=100_000)] = 8,
    seed: int = 0,
) -> State[Any] | None:
    """Train the late fusion on the tables of a cohort; `cueflow fusion evaluate` says what it is worth.

    Parameters
    ----------
    tables : str
        Root of the tables, or a folder below one.
    labels : str
        CSV file with session_id, target, value.
    target : str
        Which target of the labels to learn.
    out : str
        Folder for the model and its card.
    baseline : Baseline
        What each value is compared to.
    threshold : float, optional
        Value from which an ordinal or continuous score counts as present.
    rest_phase : str
        Phase that the baseline `phase` compares with.
    min_subjects : int
        Fewer labelled subjects are refused; at least 4.
    seed : int
        Of folds and boosting; equal seeds give equal models.

    Returns
    -------
    State or None
        A failed state where the labels or tables cannot be used.
    """
    from cueflow.tasks.fusion import read_labels, save_model
    from cueflow.tasks.fusion import train as fit

    try:
        folder = allowed(out)
        model = fit(
            biomarker_frame(allowed(tables)),
            read_labels(allowed(labels)),
            target=target,
            baseline=baseline.value,
            threshold=threshold,
            rest_phase=rest_phase or None,
            seed=seed,
            min_subjects=min_subjects,
        )
        save_model(model, folder)
    except CueflowError as error:
        return refused(error)
    get_run_logger().info("the model is written")
    tell_text("model", _card(folder, target, model.sha256, model.warnings))
    return None


def _card(folder: Path, target: str, sha256: str, warnings: tuple[str, ...]) -> str:
    lines = [f"Model for **{target}** in the folder `{folder.name}`, SHA-256 `{sha256}`."]
    lines += [f"- careful: {warning}" for warning in warnings]
    return "\n".join([*lines, "", "`cueflow fusion evaluate` measures it on subjects it has not met."])
