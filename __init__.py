"""cueflow: recordings of clinical sessions become explained biomarker tables.

`run` processes a dataset; `open_tables` opens what it wrote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cueflow.flows.api import run
    from cueflow.storage.reading.queries import open_tables

__all__ = ["__version__", "open_tables", "run"]
__version__ = "0.1.0"


def __dir__() -> list[str]:
    """Names that a completion offers, with those that are imported on first use."""
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    """Import on first use, so that `import cueflow` stays fast.

    Raises
    ------
    AttributeError
        If the package has no such name.
    """
    if name == "run":
        from cueflow.flows.api import run

        return run
    if name == "open_tables":
        from cueflow.storage.reading.queries import open_tables

        return open_tables
    raise AttributeError(f"module 'cueflow' has no attribute {name!r}")
