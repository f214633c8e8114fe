"""Slow signals: temperature and movement."""
