"""What a run did, for people and for the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cueflow.flows.planning.plan import Plan
from cueflow.flows.work.session import SessionOutcome


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run: what each processed session came to, and how many needed nothing."""

    run_id: str
    sessions: tuple[SessionOutcome, ...]
    unchanged: int
    not_reached: int
    disk_full: bool

    @property
    def counts(self) -> dict[str, int]:
        """Sessions by status: ok, degraded, failed."""
        return dict(Counter(s.status for s in self.sessions))

    @property
    def exit_code(self) -> int:
        """0 where every processed session is ok; 3 where some are degraded, failed or not reached."""
        return 0 if all(s.status == "ok" for s in self.sessions) and not self.not_reached else 3

    @property
    def line(self) -> str:
        """One line without ids."""
        parts = [f"{n} {status}" for status, n in sorted(self.counts.items())] or ["nothing to do"]
        if self.unchanged:
            parts.append(f"{self.unchanged} unchanged")
        if self.not_reached:
            parts.append(f"{self.not_reached} not reached")
        return ", ".join(parts)


def summarise(run_id: str, plan: Plan, outcomes: Sequence[SessionOutcome], *, disk_full: bool) -> RunSummary:
    """Collect the outcomes of a run.

    Parameters
    ----------
    run_id : str
        The run.
    plan : Plan
        What was to be done.
    outcomes : sequence of SessionOutcome
        The sessions that were settled.
    disk_full : bool
        Whether a full disk stopped the run.

    Returns
    -------
    RunSummary
        Sessions in the order of the manifest.
    """
    found = {outcome.session_id: outcome for outcome in outcomes}
    ordered = tuple(found[p.session.session_id] for p in plan.todo if p.session.session_id in found)
    return RunSummary(run_id, ordered, len(plan.unchanged), len(plan.todo) - len(ordered), disk_full)
