"""Skin conductance: tonic level, responses, power, and the measures of the stage."""
