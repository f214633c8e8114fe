"""What a model says of a session: because of what, when, and how sure."""
