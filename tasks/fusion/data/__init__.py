"""From tables and labels to a problem that can be fitted."""
