"""A cohort with known truth: faces, voices and signals made from a seed."""
