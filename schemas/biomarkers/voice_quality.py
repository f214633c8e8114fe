"""Voice quality, formants and spectrum of the voiced frames of speech."""

from __future__ import annotations

from cueflow.schemas.biomarkers.base import Biomarker, Evidence

VOICE = "s of voice"

_EGEMAPS = "doi:10.1109/TAFFC.2015.2457417"
_PRAAT = "https://www.fon.hum.uva.nl/praat/manual/Voice.html"
_BOERSMA = "https://www.fon.hum.uva.nl/paul/papers/Proceedings_1993.pdf"
_CPP = "doi:10.1016/j.jvoice.2014.06.015"
_CYCLES = "cycles by waveform matching, periods .1 to 20 ms, period factor 1.3, amplitude factor 1.6"
_GNE = "https://www.ingentaconnect.com/content/dav/aaua/1997/00000083/00000004"
_KLATT = "doi:10.1121/1.398894"
_STATISTICS = {"mean": "Mean", "sd": "Standard deviation", "p50": "Median"}
_THREE_SECONDS = Evidence(3.0, VOICE)


def _cycles(name: str, unit: str, what: str, plausible: tuple[float, float], *aliases: str) -> Biomarker:
    return Biomarker(
        name=f"voice_{name}", modality="audio", unit=unit, statistic="mean", definition=f"{what}; {_CYCLES}.",
        source=_PRAAT, method="waveform_matching", evidence=_THREE_SECONDS, plausible=plausible, aliases=aliases,
    )  # fmt: skip


def _frames(
    name: str, unit: str, what: str, *aliases: str, plausible: tuple[float, float], how: tuple[str, str]
) -> Biomarker:
    ending = name.rsplit("_", 1)[-1]
    statistic = ending if ending in _STATISTICS else "mean"  # as the field calls them: voice_hnr is a mean
    return Biomarker(
        name=f"voice_{name}", modality="audio", unit=unit, statistic=statistic,
        definition=f"{_STATISTICS[statistic]} over voiced frames of speech of the {what}.",
        source=how[1], method=how[0], evidence=_THREE_SECONDS, plausible=plausible, aliases=aliases,
    )  # fmt: skip


_MEAN_CYCLE = "over the mean cycle"
_DIFFERENCE = "Mean absolute difference of successive"
_AWAY = "Mean distance of a cycle from the mean of"
_AWAY_TOP = "Mean distance of an amplitude from the mean of"

VOICE_QUALITY: tuple[Biomarker, ...] = (
    _cycles("jitter_local", "%", f"{_DIFFERENCE} glottal cycles {_MEAN_CYCLE}", (0, 10), "localJitter"),
    _cycles("jitter_abs", "ms", f"{_DIFFERENCE} glottal cycles", (0, 1), "localabsoluteJitter"),
    _cycles("jitter_rap", "%", f"{_AWAY} three {_MEAN_CYCLE}", (0, 6), "rapJitter"),
    _cycles("jitter_ppq5", "%", f"{_AWAY} five {_MEAN_CYCLE}", (0, 6), "ppq5Jitter"),
    _cycles("jitter_ddp", "%", "Three times the relative average perturbation of cycles", (0, 18), "ddpJitter"),
    _cycles("shimmer_local", "%", f"{_DIFFERENCE} amplitudes over the mean amplitude", (0, 30), "localShimmer"),
    _cycles("shimmer_db", "dB", "Mean absolute ratio of successive amplitudes", (0, 3), "localdbShimmer"),
    _cycles("shimmer_apq3", "%", f"{_AWAY_TOP} three over the mean", (0, 20), "apq3Shimmer"),
    _cycles("shimmer_apq5", "%", f"{_AWAY_TOP} five over the mean", (0, 20), "apq5Shimmer"),
    _cycles("shimmer_apq11", "%", f"{_AWAY_TOP} eleven over the mean", (0, 30), "apq11Shimmer"),
    _cycles("shimmer_dda", "%", "Three times the three-point amplitude perturbation", (0, 60), "ddaShimmer"),
    _frames("hnr", "dB", "harmonics-to-noise ratio, by cross-correlation of neighbouring pieces", "HNR",
            "voice_hnr_mean", plausible=(-5, 40), how=("cross_correlation", _BOERSMA)),
    _frames("hnr_sd", "dB", "harmonics-to-noise ratio", plausible=(0, 20), how=("cross_correlation", _BOERSMA)),
    _frames("cpps", "dB", "cepstral peak prominence, smoothed over .5 ms and 20 ms, peak 60 to 330 Hz", "CPPS",
            "voice_cpp_mean", plausible=(2, 30), how=("cepstrum", _CPP)),
    _frames("cpps_sd", "dB", "cepstral peak prominence, smoothed over .5 ms and 20 ms", plausible=(0, 15),
            how=("cepstrum", _CPP)),
    _frames("cpp", "dB", "cepstral peak prominence, not smoothed, peak 60 to 330 Hz", plausible=(5, 40),
            how=("cepstrum", _CPP)),
    _frames("gne", "1", "glottal-to-noise excitation ratio, bands of 1 kHz at least 500 Hz apart", "voice_gne_mean",
            plausible=(0.3, 1), how=("envelope_correlation", _GNE)),
    _frames("h1h2", "dB", "level of the first harmonic over that of the second, formants not taken out",
            "voice_h1h2_mean", plausible=(-25, 30), how=("spectrum_50ms", _KLATT)),
)  # fmt: skip

_FORMANTS = {1: (200.0, 1200.0), 2: (600.0, 3000.0), 3: (1500.0, 4000.0), 4: (2400.0, 5300.0)}
_BURG, _SPECTRAL = ("burg", _EGEMAPS), ("spectrum_20ms", _EGEMAPS)

VOICE_SPECTRUM: tuple[Biomarker, ...] = (
    *(
        _frames(f"formant_f{i}_{statistic}", "Hz", f"frequency of formant {i}", alias, plausible=limits, how=_BURG)
        for i, limits in _FORMANTS.items()
        for statistic, alias in (("p50", f"F{i}_median"), ("mean", f"F{i}_mean"))
    ),
    _frames("alpha_ratio_mean", "dB", "energy of 1–5 kHz over that of 50–1000 Hz",
            plausible=(-60, 30), how=_SPECTRAL),
    _frames("hammarberg_mean", "dB", "strongest peak of 0–2 kHz over that of 2–5 kHz",
            plausible=(-20, 70), how=_SPECTRAL),
    _frames("slope_low_mean", "dB/Hz", "slope of the spectrum over 0–500 Hz",
            plausible=(-0.3, 0.3), how=_SPECTRAL),
    _frames("slope_mid_mean", "dB/Hz", "slope of the spectrum over 500–1500 Hz",
            plausible=(-0.2, 0.2), how=_SPECTRAL),
    _frames("flux_mean", "a.u.", "distance of the auditory spectrum from the one 10 ms before", plausible=(0, 100),
            how=_SPECTRAL),
    *(
        _frames(f"mfcc{i}_mean", "1", f"mel-frequency cepstral coefficient {i}",
                plausible=(-150, 150), how=_SPECTRAL)
        for i in range(1, 5)
    ),
    *(
        _frames(f"mfcc{i}_sd", "1", f"mel-frequency cepstral coefficient {i}", plausible=(0, 100), how=_SPECTRAL)
        for i in range(1, 5)
    ),
)  # fmt: skip
