"""Late fusion of additive experts, with exact explanations."""
