"""Variability of a row of intervals: by time, spectrum, shape and order; of heart, pulse and breath alike."""
