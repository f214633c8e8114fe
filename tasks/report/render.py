"""Templates of the pages; everything that comes from a table is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cueflow.tasks.report.lanes import HEIGHT, MARK_HEIGHT


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    made.globals.update(lane_height=HEIGHT, mark_height=MARK_HEIGHT)
    return made


def render(template: str, /, **values: object) -> str:
    """Fill a template.

    Parameters
    ----------
    template : str
        File name in this folder.
    **values : object
        What the template names; a name that is missing is an error.

    Returns
    -------
    str
        HTML.
    """
    return _environment().get_template(template).render(**values)
