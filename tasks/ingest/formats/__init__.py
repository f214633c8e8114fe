"""Readers of the formats that devices and archives write."""
