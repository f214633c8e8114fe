"""Audio: voice activity, pitch, loudness, timing."""
