"""What a run did, for people and for the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cueflow.flows.planning.plan import Plan
from cueflow.flows.work.session import SessionOutcome, SessionWork


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


def summarise(run_id: str, plan: Plan, works: Sequence[SessionWork], *, disk_full: bool) -> RunSummary:
    """Collect the outcomes of a run.

    Parameters
    ----------
    run_id : str
        The run.
    plan : Plan
        What was to be done.
    works : sequence of SessionWork
        The sessions that were started.
    disk_full : bool
        Whether a full disk stopped the run.

    Returns
    -------
    RunSummary
    """
    outcomes = tuple(w.outcome for w in works if w.outcome is not None)
    return RunSummary(run_id, outcomes, len(plan.unchanged), len(plan.todo) - len(outcomes), disk_full)
