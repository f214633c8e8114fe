"""Data behind a part of a page, as a link that needs no network."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

MOST_PAGE = 4_900_000
MOST_BYTES = 650_000  # of one table, so that a page stays under 5 MB
DIGITS = 7  # significant ones; the tables hold all
PACKED_FROM = 50_000  # larger ones are packed; the page's script hands them out as they are


@dataclass(frozen=True, slots=True)
class Download:
    """A link to a CSV inside the page; without `href` the data is too large, and the tables have it."""

    name: str
    href: str
    rows: int


def csv_download(rows: pl.DataFrame, name: str) -> Download:
    """Make a table a link.

    Parameters
    ----------
    rows : polars.DataFrame
        Plain columns.
    name : str
        File name that is offered; a large table is packed, and called NAME.gz where the page has no script.

    Returns
    -------
    Download
    """
    import polars as pl

    text = io.StringIO()
    plain = rows
    if rows.width:
        lists, numbers = pl.col(pl.List(pl.String)), pl.col(pl.Float64)
        plain = rows.with_columns(lists.list.join(";"), numbers.round_sig_figs(DIGITS))
    plain.write_csv(text)
    raw = text.getvalue().encode()
    kind = "text/csv;charset=utf-8"
    if len(raw) >= PACKED_FROM:
        raw, kind, name = gzip.compress(raw, mtime=0), "application/gzip", f"{name}.gz"
    href = f"data:{kind};base64,{base64.b64encode(raw).decode()}" if len(raw) <= MOST_BYTES else ""
    return Download(name, href, rows.height)


def without_largest(downloads: Sequence[Download]) -> tuple[Download, ...]:
    """The same links, of which the largest no longer holds its data."""
    largest = max(downloads, key=lambda item: len(item.href))
    return tuple(replace(item, href="") if item is largest else item for item in downloads)
