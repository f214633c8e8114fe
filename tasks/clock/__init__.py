"""One clock: where each recorder stands on it, and how far that is known."""
