"""Statistics of a cohort: reliability, outliers, correlations, comparisons."""
