"""Evaluation that cannot flatter."""
