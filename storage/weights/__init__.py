"""Pretrained weights: found or fetched, and always checked by hash."""
