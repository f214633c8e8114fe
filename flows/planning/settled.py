"""A run with nothing to do, found out before Prefect is started for it: that start costs more than the planning."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from cueflow.flows.fuse import load_fuser
from cueflow.flows.planning.options import Options, chosen_sessions
from cueflow.flows.planning.plan import Request, plan_run
from cueflow.flows.planning.why import fingerprints, session_rows
from cueflow.flows.summary import RunSummary
from cueflow.storage.fingerprints import HashMemo, root_fingerprint
from cueflow.storage.owner import is_tables
from cueflow.storage.tables import TableStore
from cueflow.tasks.ingest.dataset import read_dataset


def settled_run(dataset: Path, tables: Path, *, dataset_name: str, options: Options) -> RunSummary | None:
    """Summary of a run that has nothing to do.

    The same lock, checks and plan as those of a run with work; what was hashed for it is remembered for the run.

    Parameters
    ----------
    dataset, tables : Path
        Where from and where to.
    dataset_name : str
        Name of the dataset in the tables.
    options : Options
        What the run was asked for.

    Returns
    -------
    RunSummary or None
        None where at least one session must be processed.
    """
    if options.force or not is_tables(tables):
        return None
    whole = read_dataset(dataset, name=dataset_name or None)
    fusion = load_fuser(options.fusion_model).sha256 if options.fusion_model else ""
    store = TableStore(tables, whole.name)
    ids = [session.session_id for session in whole.sessions]
    with store.writing(root_fingerprint=root_fingerprint(whole.root), session_ids=ids, join=options.join):
        memo = HashMemo(store.root)
        request = Request(store.root, options.settings(), options.groups, force=False, fusion_sha256=fusion)
        written = fingerprints(session_rows(store.root, store.dataset))
        plan = plan_run(chosen_sessions(whole, options.sessions), request, written=written, file_hash=memo.sha256)
        memo.save()
    return None if plan.todo else RunSummary(str(uuid4()), (), len(plan.settled), 0, disk_full=False)
