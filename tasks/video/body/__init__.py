"""Body and hands: pose found, followed and measured."""
