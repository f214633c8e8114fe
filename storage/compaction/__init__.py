"""Many small files become few large ones."""
