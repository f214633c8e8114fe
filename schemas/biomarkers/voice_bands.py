"""Up to where a recording must have sound for a measure of the voice to mean what it says."""

from __future__ import annotations

_WHOLE, _WIDE = 7000.0, 5000.0
_NEEDS_HZ: tuple[tuple[tuple[str, ...], float], ...] = (
    (("loudness_", "egemaps_loudness", "voice_flux", "voice_mfcc", "egemaps_mfcc"), _WHOLE),
    (("voice_alpha", "voice_hammarberg", "voice_cpp", "voice_gne", "voice_formant"), _WIDE),
    (("egemaps_alpha", "egemaps_hammarberg", "egemaps_flux", "egemaps_f1_", "egemaps_f2_", "egemaps_f3_"), _WIDE),
    (("egemaps_h1_a3",), _WIDE),
    (("Loudness", "mfcc"), _WHOLE),
    (("alphaRatio", "hammarberg", "spectralFlux", "F1", "F2", "F3", "logRelF0-H1-A3"), _WIDE),
)


def needs_hz(name: str) -> float:
    """Band that a measure, or a contour of the Geneva set, needs.

    Parameters
    ----------
    name : str
        Name of a biomarker, or published name of a contour.

    Returns
    -------
    float
        Hz; 0 where a telephone's band is enough.
    """
    return next((hertz for prefixes, hertz in _NEEDS_HZ if name.startswith(prefixes)), 0.0)
