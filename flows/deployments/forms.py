"""What the flows of the UI share: descriptions of the form's fields, expected trouble as a state."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from griffe import Docstring, DocstringSectionKind, Parser, parse
from prefect.client.schemas.objects import State
from prefect.states import Failed

from cueflow.schemas.errors import CueflowError

_P = ParamSpec("_P")
_R = TypeVar("_R")


def form(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give Prefect's form the descriptions of a numpy docstring; Prefect itself reads the Google style only.

    Parameters
    ----------
    function : callable
        What becomes a flow.

    Returns
    -------
    callable
        The same function; its docstring is in the Google style.
    """
    sections = parse(Docstring(inspect.getdoc(function) or ""), Parser.numpy)
    lines = [str(s.value) for s in sections if s.kind is DocstringSectionKind.text] + ["", "Args:"]
    for section in sections:
        if section.kind is DocstringSectionKind.parameters:
            lines += [f"    {p.name}: {' '.join(p.description.split())}" for p in section.value]
    function.__doc__ = "\n".join(lines)
    return function


def refused(error: CueflowError) -> State[Any]:
    """Expected trouble as a failed run with one line, not a trace."""
    return Failed(message=f"{error.message} [{error.reason}]", data=error)
