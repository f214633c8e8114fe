"""The temporal head, its parts, and how it is trained."""
