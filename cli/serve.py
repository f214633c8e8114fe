"""`cueflow serve`: Prefect's server, the deployments of a dataset and a worker, in one command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cueflow.cli.console import console


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(epilog="Example: `cueflow metrics tables`")(metrics)
    app.command(epilog="Example: `cueflow deploy --notify notify.toml`")(deploy)
    app.command(epilog="Example: `CUEFLOW_ROOTS=dataset=/data/cohort,tables=/data/tables cueflow worker`")(worker)
    app.command(epilog='Example: `cueflow serve cohort --out tables --cron "0 2 * * *"`')(serve)


def metrics(
    tables: Annotated[Path, typer.Argument(help="Folder of the tables.")],
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Serve them at /metrics until Ctrl-C.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; default: this machine only.")] = "127.0.0.1",
) -> None:
    """Print what was done, how fast and what failed, as Prometheus text."""
    import threading

    from cueflow.flows.serving.metrics import metrics_text, serve_metrics

    if port is None:
        typer.echo(metrics_text(tables), nl=False)
        return
    serve_metrics(tables, port=port, host=host)
    console(err=True).print(f"http://{host}:{port}/metrics; Ctrl-C stops.")
    threading.Event().wait()


def deploy(
    notify: Annotated[
        Path | None, typer.Option(help="TOML file that says who is told of failures: [webhook] and [mail].")
    ] = None,
    file: Annotated[Path, typer.Option(help="The deployments.")] = Path("prefect.yaml"),
) -> None:
    """Put work pools, the deployments of prefect.yaml and automations on the server of PREFECT_API_URL."""
    from cueflow.flows.serving.automations import load_notify
    from cueflow.flows.serving.deploy import deploy_all

    names = deploy_all(file, notify=load_notify(notify) if notify else None)
    console().print(f"Deployed: {', '.join(names)}.")


def worker(
    pool: Annotated[str, typer.Argument(help="Its work pool: cueflow, or cueflow-compute for shares.")] = "cueflow",
    name: Annotated[str, typer.Option(help="Its name in the UI; default: a random one.")] = "",
) -> None:
    """Compute on this machine what the server of PREFECT_API_URL has to do, one run at a time, until Ctrl-C."""
    from cueflow.flows.serving.worker import work

    work(pool, name=name, tell=typer.echo)


def serve(
    dataset: Annotated[Path, typer.Argument(help="Folder with manifest.csv (or .parquet), or a BIDS tree.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the tables; made if it is not there.")],
    cron: Annotated[
        str, typer.Option(help='When to process what is new or changed, as "0 2 * * *"; empty: never.')
    ] = "",
    timezone: Annotated[str, typer.Option(help="Time zone of the schedule.")] = "UTC",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the UI, on this machine only.")] = 4200,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="Worker processes of a run.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML, YAML or JSON file of parameters.")] = None,
    fusion_model: Annotated[Path | None, typer.Option(help="Model from `cueflow fusion train` to apply.")] = None,
    dataset_name: Annotated[str, typer.Option(help="Name of the dataset in the tables; default: the folder's.")] = "",
    notify: Annotated[
        Path | None, typer.Option(help="TOML file that says who is told of failures: [webhook] and [mail].")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Serve Prometheus metrics there, on this machine only.")
    ] = None,
    pages: Annotated[
        Path | None, typer.Option(help="Folder for pages of the sessions, which runs then write and link to.")
    ] = None,
    pages_port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Port of the pages, on this machine only, behind the same password.")
    ] = 4201,
    json_logs: Annotated[bool, typer.Option("--json-logs", help="Log in lines of JSON.")] = False,
    allow: Annotated[list[Path] | None, typer.Option(help="Further folder that forms may name; repeat.")] = None,
) -> None:
    """Schedule runs and start them from a browser: server, deployments and worker until Ctrl-C."""
    from cueflow.flows.api import default_workers
    from cueflow.flows.planning.options import Options, preflight
    from cueflow.flows.serving.automations import load_notify
    from cueflow.flows.serving.logs import log_json
    from cueflow.flows.serving.metrics import serve_metrics
    from cueflow.flows.serving.pages import PAGES_URL, show_pages
    from cueflow.flows.serving.secret import AUTH
    from cueflow.flows.serving.server import Served, server, work
    from cueflow.schemas.session import Group

    if json_logs:
        log_json()
    served = Served(
        dataset=dataset.resolve(),
        tables=out.resolve(),
        dataset_name=dataset_name or dataset.resolve().name,
        config=config.resolve() if config else None,
        fusion_model=fusion_model.resolve() if fusion_model else None,
        workers=workers or default_workers(),
        cron=cron,
        timezone=timezone,
        notify=load_notify(notify) if notify else None,
        pages=pages.resolve() if pages else None,
        extra_roots=tuple(folder.resolve() for folder in allow or ()),
    )
    options = Options((), frozenset(Group), served.config, served.workers, served.fusion_model, force=False, join=False)
    preflight(served.dataset, dataset_name=served.dataset_name, options=options)
    if metrics_port is not None:
        serve_metrics(served.tables, port=metrics_port)
    screen = console()
    screen.print("Starting the server; the first start on a machine takes a while …")
    with server(port, cron=cron, timezone=timezone) as (ui, password):
        if served.pages is not None:
            os.environ[PAGES_URL] = show_pages(served.pages, port=pages_port, word=os.environ[AUTH])

        def ready() -> None:
            screen.print(f"[bold]{ui}/deployments[/bold] has extract, reprocess, train and maintain.")
            line = f"the line in {password}" if password else "the password of the environment"
            screen.print(f"Sign in with {line}.")
            when = f'Scheduled: "{cron}" ({timezone}).' if cron else "No schedule (--cron makes one)."
            screen.print(f"{when} Ctrl-C stops; a run that is under way then goes on next time.")

        work(served, ready=ready)
    screen.print("Stopped.")
