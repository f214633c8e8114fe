"""Pages: one self-contained HTML file per session."""
