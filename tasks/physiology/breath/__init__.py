"""Breaths: where each begins, how deep and regular they are, and the measures of the stage."""
