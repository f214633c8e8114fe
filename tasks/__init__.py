"""Pure computation, a folder a stage."""
