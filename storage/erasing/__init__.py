"""A subject leaves the tables: every row and file, the proof, and a certificate without the identity."""
