"""Motion: the frozen backbone and what its attention and keys say of movement."""
