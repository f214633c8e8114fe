"""Trained models and cached features, and their files."""
