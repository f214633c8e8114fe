"""Measures that need more than one stream, or the phases and marks of the session: they follow the alignment."""
