"""The flows that Prefect shows: their forms, what they leave in the UI, and their order."""
