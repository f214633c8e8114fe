"""From scores to intervals, composites, biomarkers and pictures."""
