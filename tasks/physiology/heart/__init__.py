"""Beats of heart and pulse, and the measures of their stages."""
