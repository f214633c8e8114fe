"""Commands that erase, and that show what was done: forget, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cueflow.cli.console import console
from cueflow.cli.tables import Tables

Pages = Annotated[
    list[Path] | None,
    typer.Option("--pages", help="Folder of pages made from these tables; repeat. Known ones are found."),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(epilog="Example: `cueflow forget tables --subject P01`")(forget)
    app.command(epilog="Example: `cueflow audit tables`")(audit)


def forget(
    tables: Tables,
    subject: Annotated[str, typer.Option(help="Subject id to erase.")] = "",
    older_than: Annotated[
        float | None, typer.Option(min=0, help="Erase instead all sessions written more than so many days ago.")
    ] = None,
    pages: Pages = None,
    certificate: Annotated[Path | None, typer.Option(help="Copy the signed certificate to this file.")] = None,
    models: Annotated[
        list[Path] | None, typer.Option("--model", help="Fusion model: say whether it must be trained again; repeat.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a subject, or what is too old, from tables, caches, logs, pages and Prefect's records, and prove it.

    Recordings and exported files are not touched; models that were trained with the subject are named.

    Raises
    ------
    typer.BadParameter
        If neither or both of --subject and --older-than are given.
    """
    from cueflow.cli.printing import print_erasure, print_models_that_know
    from cueflow.flows.forgetting import expire_sessions, forget_subject
    from cueflow.flows.fuse import load_fuser

    if bool(subject) == (older_than is not None):
        raise typer.BadParameter("name either a subject or an age", param_hint="--subject / --older-than")
    whom = "of this subject" if subject else "of these sessions"
    if not (dry_run or yes):
        typer.confirm(f"Erase every row {whom} for good?", abort=True)
    folders, loaded = tuple(pages or ()), [(path, load_fuser(path)) for path in models or []]
    if older_than is not None:
        done = expire_sessions(tables, days=older_than, dry_run=dry_run, pages=folders)
    else:
        done = forget_subject(tables, subject, dry_run=dry_run, pages=folders)
    print_erasure(done)
    print_models_that_know({str(path): fuser.knows(subject) for path, fuser in loaded if subject})
    if certificate is not None and done.certificate is not None:
        certificate.write_bytes(done.certificate.read_bytes())


def audit(tables: Tables) -> None:
    """Show the log of queries, exports and erasures, and check its chain and every certificate of erasure."""
    import json

    from cueflow.schemas.errors import TablesError
    from cueflow.storage.records.audit import read_audit
    from cueflow.storage.records.certificate import certificates_dir, verify

    log, screen = read_audit(tables), console()
    for entry in log.entries:
        said = {k: v for k, v in entry.items() if k not in {"at_utc", "action", "previous", "sha256"}}
        screen.print(f"  {entry['at_utc']}  {entry['action']:<8} {json.dumps(said)}", markup=False)
    wrong = 0
    for path in sorted(certificates_dir(tables).glob("*.json")):
        if path.name == "pending.json":
            screen.print("  An erasure was killed before it was certified: ask for it again.")
            wrong += 1
            continue
        try:
            verify(path)
            screen.print(f"  certificate {path.name}: the signature holds")
        except TablesError as error:
            screen.print(f"  certificate {path.name}: {error.message}", markup=False)
            wrong += 1
    screen.print(log.sentence)
    raise typer.Exit(0 if log.broken_at is None and not wrong else 3)
