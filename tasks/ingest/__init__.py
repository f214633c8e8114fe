"""Probe and read recordings: manifests, readers per format, the session clock."""
