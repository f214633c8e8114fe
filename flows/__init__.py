"""What Prefect runs: parameters, policies and order; no arithmetic."""
