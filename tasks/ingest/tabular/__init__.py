"""Tables of numbers: how they are laid out, their columns, and their time stamps."""
