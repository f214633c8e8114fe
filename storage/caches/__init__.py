"""Results of stages that need not be computed twice, on this machine and in a shared store."""
