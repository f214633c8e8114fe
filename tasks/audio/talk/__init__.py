"""Who speaks when: timing, speakers, turns."""
