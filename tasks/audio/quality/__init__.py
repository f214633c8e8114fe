"""Voice quality by Praat's definitions: pitch, cycles, noise, cepstrum, formants."""
