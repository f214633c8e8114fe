"""Pulse from the skin of the face."""
