"""Actions in long video: motion of a frozen backbone's own maps, a temporal head, relations between classes."""
