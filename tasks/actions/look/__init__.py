"""What is read of a recording: motion, appearance, how well it fits words."""
