"""Physiology: heart, pulse, skin, breathing."""
