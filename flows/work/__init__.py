"""How one session is worked on: jobs, worker processes, stages, tables."""
