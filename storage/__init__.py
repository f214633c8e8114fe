"""Parquet tables, model store, queries and erasure."""
