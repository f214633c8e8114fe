"""The page of one session: self-contained HTML, readable without a network and without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cueflow.schemas.biomarkers import SERIES
from cueflow.tasks.report.compared import compare
from cueflow.tasks.report.download import MOST_PAGE, csv_download, without_largest
from cueflow.tasks.report.explanation import explain
from cueflow.tasks.report.overview import overview
from cueflow.tasks.report.pictures import Found, shown_pictures
from cueflow.tasks.report.render import render
from cueflow.tasks.report.text import as_text, sentence_of
from cueflow.tasks.report.timeline import make_timeline
from cueflow.tasks.report.values import WHOLE, shown_rows, value_groups

if TYPE_CHECKING:
    import polars as pl

    from cueflow.tasks.report.matrix import Matrix

_LONG = frozenset({"depends_on"})


def session_page(  # noqa: PLR0913 - the tables of a session
    *,
    session: Mapping[str, object],
    biomarkers: pl.DataFrame,
    windows: pl.DataFrame,
    events: pl.DataFrame,
    predictions: pl.DataFrame,
    explanations: pl.DataFrame,
    cohort: Matrix | None = None,
    generated: str | None = None,
    pictures: Sequence[Found] = (),
) -> str:
    """Render the page of one session.

    Parameters
    ----------
    session : mapping
        Row of the `sessions` table.
    biomarkers, windows, events, predictions, explanations : polars.DataFrame
        Rows of these tables for the session; may be empty.
    cohort : Matrix, optional
        Values of the whole cohort, to compare with.
    generated : str, optional
        When the page is made, as it shall be printed.
    pictures : sequence of Found, optional
        Actions to show.

    Returns
    -------
    str
        HTML that makes no request.
    """
    import polars as pl

    shown = shown_rows(biomarkers)
    groups = value_groups(shown, compare(cohort, as_text(session.get("session_id"))) if cohort else {})
    phases = shown["phase"].drop_nulls().unique(maintain_order=True).to_list()
    timeline = make_timeline(windows, events, session.get("duration_s"))
    lanes = {block.modality for block in timeline.blocks} if timeline else set()
    explained = explain(predictions, explanations, lanes)
    own = pl.DataFrame([{name: _plain(value) for name, value in session.items() if name not in _LONG}])
    tables = {
        "session": own, "values": biomarkers, "events": events, "seconds": _drawn(windows), "predictions": predictions,
        "explanation": explanations,
    }  # fmt: skip
    parts = {
        "top": overview(session, biomarkers, events),
        "timeline": timeline,
        "pictures": shown_pictures(pictures),
        "groups": groups,
        "n_shown": shown.height,
        "n_rows": biomarkers.height,
        "phases": [phase for phase in phases if phase != WHOLE],
        "explained": explained,
        "no_prediction": _no_prediction(session),
        "generated": generated,
    }
    downloads = tuple(csv_download(rows, f"{name}.csv") for name, rows in tables.items())
    text = render("session.html", downloads=downloads, **parts)
    while len(text.encode()) > MOST_PAGE and any(d.href for d in downloads):
        downloads = without_largest(downloads)
        text = render("session.html", downloads=downloads, **parts)
    return text


def _drawn(windows: pl.DataFrame) -> pl.DataFrame:
    """Without the columns that have no lane: the tables hold them."""
    return windows.drop([spec.name for spec in SERIES.values() if not spec.drawn], strict=False)


def _plain(value: object) -> object:
    return ";".join(map(str, value)) if isinstance(value, list | tuple) else value


def _no_prediction(session: Mapping[str, object]) -> str:
    state = as_text(session.get("fusion_status"))
    if state in {"", "ok"}:
        return "The tables hold no prediction for this session."
    return sentence_of(state)
