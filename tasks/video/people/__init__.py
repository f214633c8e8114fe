"""People: faces found in a frame, who they are, and who is the patient."""
