"""Temporal adapters: small modules that carry motion into a frozen backbone, or into its cached features."""
