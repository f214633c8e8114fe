"""How far worse recordings move the measures of the voice; `python benchmarks/voice_robustness.py DATA` prints it."""

from __future__ import annotations

_CONDITIONS = ("noise 20 dB below the speech", "noise 10 dB below", "reverberation of .6 s", "20 dB less gain")
_MOVED: dict[str, tuple[str, str, str, str]] = {
    "voice_f0_st": (".02", ".10", ".13", "0"),
    "voice_f0": ("0", ".01", ".01", "0"),
    "voice_jitter": (".01", ".10", ".14", "0"),
    "voice_shimmer": (".05", ".13", ".41", "0"),
    "voice_hnr": ("1.2", "3.3", "1.0", "0"),
    "voice_cpp": (".21", ".82", ".41", "0"),
    "voice_gne": (".10", ".18", ".08", "0"),
    "voice_h1h2": (".06", ".31", ".65", "0"),
    "voice_formant": (".09", ".13", ".01", "0"),
    "voice_alpha": ("3.4", "7.4", "2.0", "0"),
    "voice_mfcc": ("5.9", "8.6", "1.5", "0"),
    "loudness": (".26", ".72", ".11", ".78"),
    "speech_share": (".01", ".01", ".01", "0"),
    "speech_pause": (".02", ".07", ".02", "0"),
    "speech_articulation": (".03", ".07", ".02", "0"),
    "speech_syllables_npvi": ("1.5", "3.1", "1.0", "0"),
    "egemaps_f0": (".09", ".23", ".19", ".20"),
    "egemaps_loudness": (".17", ".34", ".10", ".78"),
    "egemaps_mfcc": ("6.5", "7.6", ".5", "0"),
}
_ABSOLUTE = frozenset({"dB", "1", "st"})


def robustness_of(name: str, unit: str) -> str:
    """What worse recordings do to a measure, as measured on three recordings.

    Parameters
    ----------
    name : str
        Name of a biomarker.
    unit : str
        Its unit.

    Returns
    -------
    str
        Median change over the measures of its kind; empty where that was not measured.
    """
    moved = next((row for prefix, row in _MOVED.items() if name.startswith(prefix)), None)
    if moved is None:
        return ""
    how = f"in {unit}" if unit in _ABSOLUTE and unit != "1" else "absolute" if unit == "1" else "relative"
    parts = ", ".join(f"{value} for {what}" for value, what in zip(moved, _CONDITIONS, strict=True))
    return f"median change of measures of its kind ({how}): {parts}"
