"""Small tables beside the recordings (manifest, events, exclusions): every cell as text, rows with their number."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from cueflow.schemas.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Row:
    """A row: `number` counts as an editor does, the header being line 1; cells by column, without outer spaces."""

    number: int
    cells: dict[str, str]

    def get(self, column: str) -> str:
        """A cell; empty where the table has no such column."""
        return self.cells.get(column, "")


def read_table(root: Path, stem: str, *, required: Collection[str]) -> list[Row] | None:
    """Read `stem`.csv or `stem`.parquet.

    Parameters
    ----------
    root : Path
        Folder of the dataset.
    stem : str
        Name of the table.
    required : collection of str
        Columns that must be there.

    Returns
    -------
    list of Row or None
        None where there is no such table; rows without any text are left out.

    Raises
    ------
    DatasetError
        If it cannot be read, is there twice, or lacks a column.
    """
    found = [path for suffix in (".csv", ".parquet") if (path := root / f"{stem}{suffix}").is_file()]
    if not found:
        return None
    if len(found) > 1:
        raise DatasetError(f"there is a {found[0].name} and a {found[1].name}: keep one of them")
    path = found[0]
    try:
        columns, rows = _parquet(path) if path.suffix == ".parquet" else _text(path)
    except OSError as error:
        raise DatasetError(f"{path.name} cannot be read ({error.strerror or 'damaged'})") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name} is not text in UTF-8: save it as UTF-8") from error
    except csv.Error as error:
        raise DatasetError(f"{path.name} is not a table of comma-separated values") from error
    _need(path.name, columns, required)
    return [row for row in rows if any(row.cells.values())]


def _need(name: str, columns: list[str], required: Collection[str]) -> None:
    if not any(columns):
        raise DatasetError(f"{name} is empty: it needs the columns {', '.join(required)}")
    if missing := [column for column in required if column not in columns]:
        if len(columns) == 1 and any(separator in columns[0] for separator in ";\t"):
            raise DatasetError(f"{name} is not separated by commas: save it as CSV with commas")
        have = ", ".join(columns[:12])
        raise DatasetError(f"{name} has no column {', '.join(missing)}; its columns are {have}")
    if twice := sorted({column for column in columns if column and columns.count(column) > 1}):
        raise DatasetError(f"{name} has the column {', '.join(twice)} twice")


def _text(path: Path) -> tuple[list[str], list[Row]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file)
        columns = [cell.strip() for cell in next(lines, [])]
        return columns, list(_rows(lines, columns))


def _rows(lines: Iterator[list[str]], columns: list[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=2):
        yield Row(number, {column: cell.strip() for column, cell in zip(columns, line, strict=False)})


def _parquet(path: Path) -> tuple[list[str], list[Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DatasetError(f"{path.name} is not a Parquet file") from error
    columns = [str(name).strip() for name in table.column_names]
    cells = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
    rows = [
        Row(number, dict(zip(columns, line, strict=True)))
        for number, line in enumerate(zip(*cells, strict=True), start=2)
    ]
    return columns, rows


def _cell(value: object) -> str:
    if value is None or value != value:  # NaN is how data frames write an empty cell
        return ""
    return str(value).strip()
