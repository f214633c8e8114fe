"""Experts, calibration, weights, spread: everything that is fitted."""
