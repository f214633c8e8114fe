"""Face: found, followed and measured."""
