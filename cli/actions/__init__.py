"""`cueflow actions`: train, evaluate and apply action detection."""

from cueflow.cli.actions import teaching, watching  # they add their commands
from cueflow.cli.actions.shared import app

__all__ = ["app", "teaching", "watching"]
