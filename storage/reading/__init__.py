"""Questions to the tables: Polars frames, DuckDB, read-only SQL."""
