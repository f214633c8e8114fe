"""One clock: where each recorder stands on it, and how far that is known."""

VERSION = "3"
"""Of how recorders are placed and what lies between them is measured: raised whenever any of that may change."""
