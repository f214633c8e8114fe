"""What SQL answers, in a form that every program reads: each column with a name of its own, spans of time as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_DAY_US = 86_400_000_000


def readable(rows: pa.Table) -> pa.Table:
    """Rows as they came from DuckDB, but for names that stand twice and intervals, which few programs read.

    Parameters
    ----------
    rows : pyarrow.Table
        The answer to a question.

    Returns
    -------
    pyarrow.Table
        The second column called `a` is `a_1`; intervals are durations in µs, or texts ("2 months 3 days") where they
        count months.
    """
    import pyarrow as pa

    columns = [
        _spans(column) if pa.types.is_interval(column.type) else column.combine_chunks() for column in rows.columns
    ]
    return pa.table(columns, names=_unique(rows.column_names)) if rows.num_columns else rows


def _unique(names: list[str]) -> list[str]:
    made: list[str] = []
    for name in names:
        free, k = name, 0
        while free in made or (k and free in names):
            k += 1
            free = f"{name}_{k}"
        made.append(free)
    return made


def _spans(column: pa.ChunkedArray) -> pa.Array:
    import pyarrow as pa

    spans = column.to_pylist()
    if any(span is not None and span.months for span in spans):
        return pa.array([None if span is None else _words(span) for span in spans], pa.string())
    counts = [None if span is None else span.days * _DAY_US + span.nanoseconds // 1000 for span in spans]
    return pa.array(counts, pa.duration("us"))


def _words(span: pa.MonthDayNano) -> str:
    parts = [(span.months, "months"), (span.days, "days"), (span.nanoseconds / 1e9, "s")]
    return " ".join(f"{n:g} {unit}" for n, unit in parts if n) or "0 s"
