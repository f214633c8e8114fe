"""Video: decode, face landmarks, frozen backbone, attention flow."""
