"""What a run will do, found out before Prefect is started for it: that start costs more than the planning."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from cueflow.flows.fuse import load_fuser
from cueflow.flows.planning.options import Options, chosen_sessions
from cueflow.flows.planning.plan import Plan, Request, plan_run
from cueflow.flows.planning.why import fingerprints, session_rows
from cueflow.flows.summary import RunSummary
from cueflow.storage.fingerprints import HashMemo, root_fingerprint
from cueflow.storage.tables import TableStore
from cueflow.tasks.ingest.dataset import read_dataset


def plan_ahead(dataset: Path, tables: Path, *, dataset_name: str, options: Options) -> Plan:
    """What a run will have to do.

    The same lock, checks and plan as those of the run itself, so that an output folder of somebody else is refused at
    once; what was hashed for it is remembered for the run.

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
    Plan
        Without anything to do, the run need not be started.
    """
    whole = read_dataset(dataset, name=dataset_name or None)
    fusion = load_fuser(options.fusion_model).sha256 if options.fusion_model else ""
    store = TableStore(tables, whole.name)
    ids = [session.session_id for session in whole.sessions]
    with store.writing(root_fingerprint=root_fingerprint(whole.root), session_ids=ids, join=options.join):
        memo = HashMemo(store.root)
        request = Request(store.root, options.settings(), options.groups, force=options.force, fusion_sha256=fusion)
        written = fingerprints(session_rows(store.root, store.dataset))
        plan = plan_run(chosen_sessions(whole, options.sessions), request, written=written, file_hash=memo.sha256)
        memo.save()
    return plan


def settled_run(plan: Plan) -> RunSummary:
    """Summary of a run that has nothing to do."""
    return RunSummary(str(uuid4()), (), len(plan.settled), 0, disk_full=False)
