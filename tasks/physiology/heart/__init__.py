"""Beats of heart and pulse, and the intervals between them."""
