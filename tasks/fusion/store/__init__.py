"""What a model is, and its folder."""
