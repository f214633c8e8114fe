"""Pages of sessions, and the pictures in them."""
