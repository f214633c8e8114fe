"""`--effect name=value`: switch the simulator's effects on, off, or scale them."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cueflow.tasks.simulate.effects import Effects


def parse_effects(given: list[str]) -> Effects:
    """Effects from the command line.

    Parameters
    ----------
    given : list of str
        Each `name=value`; the value is JSON (a number, true, false, a list) or a list separated by commas.

    Returns
    -------
    Effects
        Defaults where nothing is given.

    Raises
    ------
    typer.BadParameter
        If there is no such effect, or the value is of another kind.
    typer.Exit
        After printing the effects, where `help` is asked for.
    """
    from cueflow.tasks.simulate.effects import Effects

    effects = Effects()
    if "help" in given:
        typer.echo("\n".join(f"{name} = {json.dumps(value)}" for name, value in asdict(effects).items()))
        typer.echo("\n" + (Effects.__doc__ or ""))
        raise typer.Exit
    known = {f.name for f in fields(effects)}
    for item in given:
        name, equals, text = item.partition("=")
        if name not in known or not equals:
            raise typer.BadParameter(
                f"{item!r}: write name=value; `--effect help` lists the names", param_hint="--effect"
            )
        value = _value(name, text, like=getattr(effects, name))
        effects = replace(effects, **{name: value})  # type: ignore[arg-type] # of the field's own type
    return effects


def _value(name: str, text: str, *, like: object) -> object:
    if isinstance(like, tuple):
        words = [word.strip() for word in text.strip("[]()").split(",") if word.strip()]
        return tuple(type(like[0])(word.strip("\"'")) for word in words)
    if isinstance(like, bool):
        if text not in {"true", "false"}:
            raise typer.BadParameter(f"{name} takes true or false", param_hint="--effect")
        return text == "true"
    try:
        number = float(text)
    except ValueError as error:
        raise typer.BadParameter(f"{name} takes a number", param_hint="--effect") from error
    return int(number) if isinstance(like, int) else number
