"""How well physiology is measured, against independent truth; each name prints one table of the method notes.

python benchmarks/body.py rpeaks   # F1 at 75 ms: clean, ectopic, muscle noise, hum, inverted, 100 to 2000 Hz
python benchmarks/body.py rates    # heart, pulse and breathing rate by the minute against monitor and annotators
python benchmarks/body.py hrv      # variability against NeuroKit2 and pyHRV
python benchmarks/body.py scr      # F1 of skin conductance responses on simulated recordings
python benchmarks/body.py eda      # tonic and phasic part against NeuroKit2's
python benchmarks/body.py gaps     # 5 to 40 % deleted: inside the tolerance, or no value
python benchmarks/body.py quality  # area under the curve: clean against corrupted windows
python benchmarks/body.py speed    # share of the length, per signal at 250 Hz
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from body_data import (
    analysed,
    bidmc,
    f1,
    head,
    many_ectopics,
    matched,
    minutes,
    muscle,
    record_100,
    row,
    signal_of,
    starts,
    values_of,
)
from measure import DATA, heading
from scipy import signal as sp

from cueflow.schemas.results import FloatArray, Measure, Signal, Window

WITHIN_S = 0.075
TOLERANCE: tuple[tuple[str, float], ...] = (
    ("scr_rate", 0.25), ("scr_amplitude_mean", 0.25), ("scr_rise_time_mean", 0.25), ("scr_half_recovery_mean", 0.25),
    ("scl_mean", 0.10), ("rsp_amplitude_rmssd", 0.30), ("rrv_rmssd", 0.30), ("rrv_sd1", 0.30), ("rrv_sd2", 0.30),
    ("sd2sd1", 0.30), ("sd1sd2", 0.30), ("vlf", 0.60), ("vlf_lomb", 0.60), ("vhf", 0.60),
    ("_mean", 0.05), ("meannn", 0.05), ("mediannn", 0.05), ("meanbb", 0.10), ("sdnn", 0.20), ("rmssd", 0.20),
    ("sd1", 0.20), ("sd2", 0.20), ("lf_lomb", 0.40), ("hf_lomb", 0.40), ("lf", 0.40), ("hf", 0.40), ("rate", 0.25),
)  # fmt: skip
"""By how much, as a share of the whole recording's value, a value may move when samples are lost; see `gaps`.

Of skin responses 1 / √n is added, n of them being left: which of a few are lost decides on rate and mean. A few breaths
decide on the variability of breathing, and the skin's level drifts.
"""
FIRST_SEED = 200  # 0 to 119 were looked at when tolerances and rules were chosen


def rpeaks() -> None:
    """R peaks."""
    head("ECG", "minutes", "beats", "F1", "sensitivity", "predictive", "kept, %")
    signal, beats, ectopic = record_100()
    rng = np.random.default_rng(0)
    hum = 0.5 * np.sin(2 * np.pi * 50.0 * signal.times_s)
    _peaks(f"MIT-BIH 100 ({int(ectopic.sum())} ectopic)", signal, beats)
    _peaks("inverted", signal_of(-signal.values, 360.0), beats)
    _peaks("50 Hz hum, 1 mV peak to peak", signal_of(signal.values + hum, 360.0), beats)
    for rate in (100.0, 250.0, 1000.0, 2000.0):
        short = signal.values[: 360 * 300]
        again = sp.resample_poly(short, int(rate), 360) if rate != 360 else short
        _peaks(f"resampled to {rate:g} Hz", signal_of(again, rate), beats[beats < 300])
    for db in (24.0, 18.0, 12.0, 6.0, 0.0):
        _peaks(f"muscle noise, {db:g} dB", signal_of(muscle(rng, signal.values, 360.0, db), 360.0), beats)
    for seed in (1, 2):
        drawn, truth = many_ectopics(seed, 600.0, 250.0)
        _peaks(f"drawn, 17 % ventricular beats ({seed})", drawn, truth)
        _peaks(f"the same at 12 dB ({seed})", signal_of(muscle(rng, drawn.values, 250.0, 12.0), 250.0), truth)


def _peaks(name: str, signal: Signal, beats: FloatArray) -> None:
    found = analysed("ecg", signal)
    row(name, round(len(signal.values) / signal.sampling_rate / 60, 1), len(beats),
        *(f"{v:.4f}" for v in f1(starts(found, "beat"), beats, WITHIN_S)), round(100 * found.coverage, 1))  # fmt: skip


def rates() -> None:
    """Rates by the minute."""
    head("recording", "measure", "minutes with a value", "mean error, 1/min", "largest")
    for record in ("01", "05"):
        signals, numerics, breaths = bidmc(record)
        at = numerics["Time_s"]
        for modality, column, name, monitor in (
            ("ecg", "II", "hr_mean", "HR"), ("ppg", "PLETH", "pulse_rate_mean", "PULSE"),
            ("respiration", "RESP", "rsp_rate_mean", ""), ("ecg", "II", "edr_rate_mean", ""),
            ("ppg", "PLETH", "pdr_rate_mean", ""),
        ):  # fmt: skip
            length = len(signals) / 125.0
            found = analysed(modality, signal_of(signals[column], 125.0), minutes(length))
            errors = []
            for window in minutes(length):
                inside = (at >= window.start_s) & (at < window.end_s)
                own = breaths[(breaths >= window.start_s) & (breaths < window.end_s)]
                truth = float(np.nanmean(numerics[monitor][inside])) if monitor else 60.0 / float(np.mean(np.diff(own)))
                value = values_of(found, window.phase)[name].value
                if value is not None:
                    errors.append(abs(value - truth))
            errors = errors or [float("nan")]
            row(f"BIDMC {record}", name, f"{np.isfinite(errors).sum()}/{int(length // 60)}", float(np.mean(errors)),
                float(np.max(errors)))  # fmt: skip


def hrv() -> None:
    """Variability against NeuroKit2 and pyHRV."""
    import importlib

    import neurokit2 as nk

    from cueflow.tasks.physiology.variability import complexity, geometry, hrv, poincare
    from cueflow.tasks.physiology.variability.intervals import Intervals
    from cueflow.tasks.physiology.variability.spectrum import BANDS_HZ, band_powers

    warnings.simplefilter("ignore")
    inner = importlib.import_module("neurokit2.hrv.hrv_nonlinear")
    head("series", "measures", "within 1 %", "others: ours / theirs")
    ours = {**hrv.LEVELS, **hrv.DIFFERENCES, **poincare.POINCARE, **complexity.COMPLEXITY, **geometry.LONG}
    for name in ("Short", "Long"):
        nni = np.load(DATA / "physio_hrv" / f"SampleNNISeries{name}.npy").astype(np.float64)
        theirs: dict[str, float] = {
            k[4:]: float(v) for k, v in nk.hrv_time({"RRI": nni, "RRI_Time": np.cumsum(nni) / 1e3}).iloc[0].items()
        }
        for function in (
            inner._hrv_nonlinear_poincare,
            inner._hrv_nonlinear_fragmentation,
            inner._hrv_nonlinear_poincare_hra,
        ):
            function(nni, out=theirs)
        spread = 0.2 * float(nni.std(ddof=1))
        theirs["SampEn"] = nk.entropy_sample(nni, delay=1, dimension=2, tolerance=spread)[0]
        theirs["ApEn"] = nk.entropy_approximate(nni, delay=1, dimension=2, tolerance=spread)[0]
        theirs["DFA_alpha1"] = float(nk.fractal_dfa(nni, scale=np.arange(4, 12))[0])
        found = Intervals.of(nni)
        by_name = {k.casefold(): v for k, v in theirs.items()}
        pairs = {
            k: (f(found), by_name[k])
            for k, f in ours.items()
            if np.isfinite(by_name.get(k, np.nan)) and not k.endswith("5")
        }
        _agreement(f"pyHRV's {name.lower()} series, NeuroKit2 0.2.13", pairs)
        even, _, rate = nk.intervals_process(nni, intervals_time=np.cumsum(nni) / 1e3, interpolate=True, method="cubic")
        window = float(np.clip(nni.sum() / 2e3, 120.0, 256.0))
        bands = {k: v for k, v in BANDS_HZ.items() if k in {"lf", "hf"}}
        psd = nk.signal_psd(even, sampling_rate=rate, method="welch", normalize=False, window=window)
        step = float(psd["Frequency"].diff().median())
        mine = band_powers(found, shortest_s=60.0)
        power = {
            k: float(psd["Power"][(psd["Frequency"] >= a) & (psd["Frequency"] < b)].sum() * step)
            for k, (a, b) in bands.items()
        }
        _agreement("its Welch density over the whole band, windows as long", {k: (mine[k], power[k]) for k in bands})
    _against_report(ours)


def _against_report(ours: dict[str, Callable[..., float]]) -> None:
    from cueflow.tasks.physiology.variability.intervals import Intervals

    nni = np.load(DATA / "physio_hrv" / "SampleNNISeriesLong.npy").astype(np.float64)
    found = Intervals.of(nni)
    report: dict[str, str] = {}
    for line in (DATA / "physio_hrv" / "SampleReport.txt").read_text().splitlines():
        title, _, value = line.partition(";")
        report.setdefault(title.strip(), value.strip())
    said = {"meannn": "Mean NNI (ms)", "sdnn": "SDNN (ms)", "rmssd": "RMSSD (ms)", "pnn50": "pNN50 (%)",
            "sd1": "SD1 (ms)", "sd2": "SD2 (ms)", "hti": "Triangular Index (-)", "sdnni5": "SDNN Index (ms)",
            "sdann5": "SDANN (ms)",
            "sampen": "Sample Entropy (-)"}  # fmt: skip
    _agreement(
        "pyHRV's own report of the long series", {k: (ours[k](found), float(report[n])) for k, n in said.items()}
    )


def _agreement(series: str, pairs: dict[str, tuple[float, float]]) -> None:
    off = {k: p for k, p in pairs.items() if abs(p[0] - p[1]) > 0.01 * abs(p[1])}
    row(
        series,
        len(pairs),
        len(pairs) - len(off),
        ", ".join(f"{k} {a:.4g} / {b:.4g}" for k, (a, b) in off.items()) or "–",
    )


def scr() -> None:
    """Responses on simulated skin conductance."""
    from cueflow.tasks.simulate.slow import conductance

    head("simulator", "rate, Hz", "noise, µS", "responses", "F1 at 1 s", "sensitivity", "predictive")
    for rate, noise in ((4.0, 0.002), (4.0, 0.01), (32.0, 0.002), (250.0, 0.01)):
        total = np.zeros(3, dtype=int)
        for seed in range(10):
            rng = np.random.default_rng(seed)
            times = np.arange(int(600 * rate)) / rate
            onsets = np.cumsum(rng.uniform(4.0, 20.0, 60))
            onsets = onsets[onsets < 585.0]
            sizes = rng.uniform(0.08, 0.8, len(onsets))
            wave = conductance(rng, times, onsets, sizes) + rng.normal(0.0, noise, len(times))
            found = analysed("eda", signal_of(wave, rate, "µS"))
            total += matched(starts(found, "scr"), onsets, 1.0)
        _share("cueflow's own", rate, noise, total)


def _share(name: str, rate: float, noise: float, total: np.ndarray) -> None:
    hits, missed, false = (int(v) for v in total)
    shares = (2 * hits / (2 * hits + missed + false), hits / (hits + missed), hits / (hits + false))
    row(name, rate, noise, hits + missed, *(f"{share:.3f}" for share in shares))


def eda() -> None:
    """Tonic and phasic part against NeuroKit2's."""
    import neurokit2 as nk

    warnings.simplefilter("ignore")
    head("recording", "their method", "tonic: r", "mean difference, µS", "phasic: r", "responses ours / theirs")
    simulated = nk.eda_simulate(duration=300, sampling_rate=100, scr_number=25, noise=0.0, drift=0.01, random_state=3)
    real = np.genfromtxt(DATA / "physio_neurokit" / "bio_eventrelated_100hz.csv", delimiter=",", names=True)["EDA"]
    wrist = np.genfromtxt(DATA / "physio_e4" / "1493663240_A01890" / "EDA.csv", skip_header=2)[400:4400]
    for name, values, rate in (("neurokit2, simulated", simulated, 100.0), ("neurokit2, event-related", real, 100.0),
                               ("Empatica E4", wrist, 4.0)):  # fmt: skip
        found = analysed("eda", signal_of(values, rate, "µS"))
        series = {s.name: s.values for s in found.series}
        for method in ("highpass", "smoothmedian"):
            theirs = nk.eda_phasic(np.asarray(values), sampling_rate=rate, method=method)
            tonic, phasic = (_seconds(np.asarray(theirs[k]), rate) for k in ("EDA_Tonic", "EDA_Phasic"))
            n = min(len(tonic), len(series["eda_tonic"]))
            good = np.isfinite(series["eda_tonic"][:n])
            a, b = series["eda_tonic"][:n][good], tonic[:n][good]
            c, d = series["eda_phasic"][:n][good], phasic[:n][good]
            try:
                _, info = nk.eda_peaks(np.asarray(theirs["EDA_Phasic"]), sampling_rate=rate, method="neurokit")
                counted = str(int(np.sum(np.asarray(info["SCR_Amplitude"]) >= 0.05)))
            except ValueError:
                counted = "–"
            row(name, method, f"{np.corrcoef(a, b)[0, 1]:.3f}", float(np.mean(np.abs(a - b))),
                f"{np.corrcoef(c, d)[0, 1]:.3f}", f"{len(starts(found, 'scr'))} / {counted}")  # fmt: skip


def _seconds(values: FloatArray, rate: float) -> FloatArray:
    size = round(rate)
    return values[: len(values) // size * size].reshape(-1, size).mean(axis=1)


def gaps() -> None:
    """Values after random deletion."""
    signal, _, _ = record_100()
    ecg = signal_of(signal.values[: 360 * 600], 360.0, "mV")
    signals, _, _ = bidmc("01")
    wrist = np.genfromtxt(DATA / "physio_e4" / "1493663240_A01890" / "EDA.csv", skip_header=2)[400:2800]
    head(
        "recording", "deleted, %", "values kept", "no value", "outside the tolerance", "worst of those inside, % of it"
    )
    for name, modality, whole in (
        ("MIT-BIH 100, 10 min", "ecg", ecg), ("BIDMC 01 pulse", "ppg", signal_of(signals["PLETH"], 125.0)),
        ("BIDMC 01 breathing", "respiration", signal_of(signals["RESP"], 125.0)),
        ("E4 skin conductance", "eda", signal_of(wrist, 4.0, "µS")),
    ):  # fmt: skip
        truth = values_of(analysed(modality, whole))
        for share in (0.05, 0.1, 0.2, 0.4):
            _deleted(name, modality, whole, share=share, truth=truth)


def _deleted(name: str, modality: str, whole: Signal, *, share: float, truth: dict[str, Measure]) -> None:
    kept = lost = 0
    outside: dict[str, int] = {}
    worst = 0.0
    for seed in range(FIRST_SEED, FIRST_SEED + 20):
        rng, values = np.random.default_rng(seed), whole.values.copy()
        while np.isnan(values).mean() < share:
            length = rng.uniform(1.0, 15.0) * whole.sampling_rate
            at = int(rng.integers(len(values)))
            values[at : at + int(length)] = np.nan
        findings = analysed(modality, Signal(values, whole.times_s, whole.sampling_rate, whole.unit))
        found, left = values_of(findings), max(len(starts(findings, "scr")), 1)
        for measure, before in truth.items():
            tolerance = next((t for end, t in TOLERANCE if measure.endswith(end)), None)
            if tolerance is None or before.value is None or not before.value:
                continue
            after = found[measure].value
            if after is None:
                lost += 1
                continue
            kept += 1
            allowed = tolerance + (left**-0.5 if measure.startswith("scr_") else 0.0)
            moved = abs(after / before.value - 1.0) / allowed
            if moved > 1.0:
                outside[measure] = outside.get(measure, 0) + 1
            else:
                worst = max(worst, moved)
    odd = ", ".join(f"{k} ×{n}" for k, n in outside.items())
    row(
        name,
        f"{100 * share:.0f}",
        kept,
        lost,
        f"{sum(outside.values())}" + (f" ({odd})" if odd else ""),
        f"{100 * worst:.0f}",
    )


def quality() -> None:
    """Area under the curve of the quality index, windows of 10 s."""
    head("signal", "corrupted by", "windows", "area under the curve")
    signal, _, _ = record_100()
    rest = np.genfromtxt(DATA / "physio_neurokit" / "bio_resting_5min_100hz.csv", delimiter=",", names=True)
    signals = [bidmc(r)[0] for r in ("01", "05")]
    cases: list[tuple[str, str, list[tuple[FloatArray, float]]]] = [
        ("ECG", "ecg", [(signal.values, 360.0), (rest["ECG"], 100.0), *((s["II"], 125.0) for s in signals)]),
        ("pulse", "ppg", [(rest["PPG"], 100.0), *((s["PLETH"], 125.0) for s in signals)]),
    ]
    for name, modality, recordings in cases:
        every: tuple[list[float], list[float]] = ([], [])
        for what, spoil in _SPOILERS.items():
            clean, bad = [], []
            for number, (values, rate) in enumerate(recordings):
                rng = np.random.default_rng(number)
                spoilt, touched = _spoil(rng, values, rate, spoil)
                windows = tuple(Window(10.0 * k, 10.0 * (k + 1), str(k)) for k in range(len(touched)))
                after = analysed(modality, signal_of(spoilt, rate), windows)
                scores = {
                    m.window.phase: m.quality or 0.0
                    for m in after.measures
                    if m.biomarker in {"hr_mean", "pulse_rate_mean"}
                }
                for k, was in enumerate(touched):
                    (bad if was else clean).append(scores.get(str(k), 0.0))
            row(name, what, len(clean) + len(bad), f"{_auc(np.array(clean), np.array(bad)):.3f}")
            every[0].extend(clean)
            every[1].extend(bad)
        row(name, "all of these", len(every[0]) + len(every[1]), f"{_auc(np.array(every[0]), np.array(every[1])):.3f}")


def _spoil(
    rng: np.random.Generator, values: FloatArray, rate: float, how: Callable[..., FloatArray]
) -> tuple[FloatArray, list[bool]]:
    out, size = np.array(values, dtype=np.float64), round(10 * rate)
    touched = []
    for k in range(len(values) // size):
        was = rng.random() < 0.3
        touched.append(bool(was))
        if was:
            out[k * size : (k + 1) * size] = how(rng, out[k * size : (k + 1) * size], rate)
    return out, touched


def _noise(rng: np.random.Generator, values: FloatArray, _: float) -> FloatArray:
    return values + rng.normal(0.0, np.std(values), len(values))


def _movement(rng: np.random.Generator, values: FloatArray, _: float) -> FloatArray:
    knots = rng.normal(0.0, 1.5 * np.ptp(values), 25)
    return values + np.interp(np.linspace(0, 24, len(values)), np.arange(25), knots)


def _loose(rng: np.random.Generator, values: FloatArray, rate: float) -> FloatArray:
    hum = np.sin(2 * np.pi * 7.3 * np.arange(len(values)) / rate)
    return np.mean(values) + np.std(values) * (hum + rng.normal(0.0, 0.5, len(values)))


def _clipped(_: np.random.Generator, values: FloatArray, __: float) -> FloatArray:
    low, high = np.percentile(values, [40, 60])
    return np.clip(values, low, high)


_SPOILERS: dict[str, Callable[[np.random.Generator, FloatArray, float], FloatArray]] = {
    "white noise as strong as the signal": _noise,
    "movement: steps and swings of up to three times its range": _movement,
    "a loose electrode: hum and noise in place of the signal": _loose,
    "a saturated amplifier": _clipped,
}


def _auc(clean: FloatArray, bad: FloatArray) -> float:
    return float(np.mean((clean[:, None] > bad[None, :]) + 0.5 * (clean[:, None] == bad[None, :])))


def speed() -> None:
    """Time of the stage as a share of the length."""
    signal, _, _ = record_100()
    seconds = 1800.0
    times = np.arange(int(seconds * 250)) / 250.0
    ecg = np.interp(times, signal.times_s, signal.values)
    head("signal at 250 Hz", "minutes", "s", "share of the length")
    waves = {"ecg": ecg, "ppg": np.interp(times % 480.0, np.arange(60001) / 125.0, bidmc("01")[0]["PLETH"]),
             "respiration": np.sin(2 * np.pi * times / 4.0), "eda": 5.0 + 0.5 * np.sin(2 * np.pi * times / 20.0) ** 4,
             "temperature": 33.0 + 0.1 * np.sin(times / 60.0),
             "accelerometer": 1.0 + 0.1 * np.sin(6.0 * times)}  # fmt: skip
    units = {"eda": "µS", "temperature": "°C", "accelerometer": "g"}
    for modality, values in waves.items():
        made = signal_of(values, 250.0, units.get(modality, ""))
        began = time.process_time()
        analysed(modality, made)
        spent = time.process_time() - began
        row(modality, seconds / 60, float(spent), f"{spent / seconds:.5f}")


_FIGURES = (rpeaks, rates, hrv, scr, eda, gaps, quality, speed)


def main(arguments: Sequence[str]) -> None:
    """Print the figure that was named."""
    for figure in _FIGURES:
        if list(arguments) in ([figure.__name__], ["all"]):
            print(heading(figure.__doc__ or ""))
            figure()
            print()
            if arguments[0] != "all":
                return
    if not arguments or arguments[0] not in {"all", *(f.__name__ for f in _FIGURES)}:
        raise SystemExit(__doc__)
    return


if __name__ == "__main__":
    main(sys.argv[1:])
