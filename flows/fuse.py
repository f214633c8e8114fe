"""Apply a fusion model inside the flow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cueflow.schemas.errors import FusionError
from cueflow.schemas.reasons import Reason
from cueflow.schemas.session import Group, Modality, Session
from cueflow.storage.rows import Stamp, fusion_rows, to_table

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from cueflow.schemas.results import Prediction
    from cueflow.tasks.fusion import FusionModel


@dataclass(frozen=True, slots=True)
class Fused:
    """Rows of the fusion tables and how it went: ok, or the reason why the model abstained."""

    predictions: pa.Table
    explanations: pa.Table
    status: str


class Fuser:
    """A loaded fusion model."""

    def __init__(self, model: FusionModel) -> None:
        self._model = model
        self.sha256: str = model.sha256

    def predict(self, frame: pl.DataFrame) -> tuple[Prediction, ...]:
        """The model's answer for every session of a long table, in the order of session ids."""
        from cueflow.tasks.fusion import predict

        return predict(self._model, frame)

    def knows(self, subject_id: str) -> bool:
        """Whether the model was trained on a subject."""
        return self._model.knows(subject_id)

    def other_methods(self, now: Mapping[str, str]) -> list[str]:
        """Biomarkers whose method version, by modality, is none of those the model learned from."""
        model = self._model
        return [
            f"{name} ({now[modality]} instead of {', '.join(model.methods[name])})"
            for modality, names in model.columns.items()
            for name in names
            if modality in now and name in model.methods and now[modality] not in model.methods[name]
        ]

    def tables(self, session: Session, biomarkers: pa.Table, stamp: Stamp) -> Fused:
        """Predict one session from its biomarker rows.

        Parameters
        ----------
        session : Session
            Whose rows they are.
        biomarkers : pyarrow.Table
            Rows of the `biomarkers` table.
        stamp : Stamp
            Run and configuration.

        Returns
        -------
        Fused
        """
        import polars as pl

        frame = pl.from_arrow(biomarkers)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table is never a series
        predictions = self.predict(frame)
        made, reasons = fusion_rows(session, predictions, model_sha256=self.sha256, stamp=stamp), predictions
        status = next((str(p.reason) for p in reasons if p.abstained and p.reason), "ok")
        return Fused(to_table("predictions", made[0]), to_table("explanations", made[1]), status)


def load_fuser(path: Path) -> Fuser:
    """Load a fusion model for use in the flow.

    Parameters
    ----------
    path : Path
        What `cueflow fusion train` wrote.

    Returns
    -------
    Fuser
    """
    from cueflow.tasks.fusion import load_model

    return Fuser(load_model(path))


def load_matching(path: Path, groups: Iterable[Group]) -> Fuser:
    """Load a fusion model for recordings that are processed now.

    Parameters
    ----------
    path : Path
        What `cueflow fusion train` wrote.
    groups : iterable of Group
        Stages that will run.

    Returns
    -------
    Fuser

    Raises
    ------
    FusionError
        If the model learned from biomarkers that other versions of these stages' methods made.
    """
    from cueflow.flows.work.stages import method_version

    fuser = load_fuser(path)
    now = {m.value: method_version(m.group) for m in Modality if m.group in set(groups)}
    differ = fuser.other_methods(now)
    if differ:
        raise FusionError(
            f"{path.name}: {len(differ)} of its biomarkers are now made by other method versions: "
            f"{'; '.join(differ[:5])}; process the cohort again and train anew",
            reason=Reason.MODEL_HASH,
        )
    return fuser
