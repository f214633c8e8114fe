"""Prefect's server and what belongs to it: started, secured and watched."""
