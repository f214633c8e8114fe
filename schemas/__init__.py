"""Declared truth: sessions, biomarkers, tables, configuration, errors."""
