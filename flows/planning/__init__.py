"""What a run has to do, and why."""
