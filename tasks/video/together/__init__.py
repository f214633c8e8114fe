"""Two people in one picture: how their movements belong together."""
