"""A cohort with known truth, made without any download."""

from cueflow.tasks.simulate.cohort import SimulatedCohort, simulate
from cueflow.tasks.simulate.effects import Effects

__all__ = ["Effects", "SimulatedCohort", "simulate"]
