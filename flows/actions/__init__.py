"""Actions in long video, around the method: backbones, cached features, annotated recordings, models, sessions."""
