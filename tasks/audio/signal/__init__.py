"""The sound itself: chunks, levels, spectra, and where there is speech."""
