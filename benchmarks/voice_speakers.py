"""Who speaks when: diarization error and response latency against known turns.

python benchmarks/voice_speakers.py DATA            # a folder that has speech_diar, speech_asr and speech_pitch_ref
python benchmarks/voice_speakers.py DATA overlap    # where both speak, one of them softer
python benchmarks/voice_speakers.py DATA three      # three people in one microphone
python benchmarks/voice_speakers.py DATA crosstalk  # a microphone each, which hears the other one too

Real: the recordings that have turns marked. Simulated: phrases of five recorded people put together, two at a time,
with known turns, gaps and overlaps, once in one microphone (diarization, overlap) and once with a microphone each
(latency). From which probability on two people count as speaking was chosen on every second pair, the first one on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from measure import heading

from cueflow.flows.work.stages import MODELS, model_path
from cueflow.schemas.config import AudioConfig
from cueflow.schemas.results import Findings, StreamResult
from cueflow.schemas.session import Group, Role
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.between import between_recordings
from cueflow.tasks.audio.tracks import VoiceModels

RATE = 16_000
SECONDS = 90
COLLAR = 25  # frames of 10 ms
Turns = dict[str, list[tuple[float, float]]]


def main(data: str, what: str = "") -> None:
    """Print the tables."""
    root = Path(data)
    print(heading("Speakers"))
    if what == "overlap":
        _softer(root)
        return
    if what == "three":
        _three(root)
        return
    if what == "crosstalk":
        _crosstalk(root)
        return
    if what:
        raise SystemExit(f"{what}? it is nothing, overlap, three or crosstalk")
    print("| recording | speakers | found | error | missed | false | confused | error, .25 s collar |")
    print("|---|---|---|---|---|---|---|---|")
    real = [(name, turns, _report(name, x, turns, known=known)) for name, x, turns, known in _real(root)]
    made = list(simulated(root))
    talks = [(name, turns, _report(name, x, turns, known=0)) for name, x, turns, _ in made]
    groups = {"real, number estimated": real[::2], "real, number given": real[1::2], "simulated": talks}
    for group, rows in groups.items():
        errors = [(error_rate(t, _spans(f))[0], error_rate(t, _spans(f), collar=COLLAR)[0]) for _, t, f in rows]
        strict, loose = np.mean(errors, axis=0)
        print(f"mean error, {group}: {strict:.3f}; with collar {loose:.3f}")
    groups = {name: [(name, t, f)] for name, t, f in real[::2]}
    groups |= {"simulated, chosen on": talks[::2], "simulated, the others": talks[1::2]}
    for group, rows in groups.items():
        print(_overlap(group, [(t, f) for _, t, f in rows]))
    _in_the_room([(t, f) for _, t, f in talks[1::2]])
    _latencies(made)


def _report(name: str, samples: np.ndarray, turns: Turns, *, known: int) -> Findings:
    found = _analysed(samples, role=Role.ROOM, speakers=known)
    heard = _spans(found)
    strict, loose = error_rate(turns, heard), error_rate(turns, heard, collar=COLLAR)
    given = " (given)" if known else ""
    parts = " | ".join(f"{v:.3f}" for v in strict)
    print(f"| {name} | {len(turns)}{given} | {len(heard)} | {parts} | {loose[0]:.3f} |", flush=True)
    return found


def _overlap(name: str, rows: list[tuple[Turns, Findings]]) -> str:
    """Precision and recall of frames in which two speak, over several recordings."""
    both = right = said = 0
    for turns, found in rows:
        n = round(100 * found.end_s)
        true = _frames(turns, n).sum(axis=0) > 1
        spans = [(e.start_s, e.end_s) for e in found.events if e.kind == "overlap"]
        heard = _frames({"": spans}, n)[0]
        both, said, right = both + int(true.sum()), said + int(heard.sum()), right + int((true & heard).sum())
    precision = f"{right / said:.3f}" if said else "–"
    return f"overlap, {name}: {both / 100:.1f} s; precision {precision}, recall {right / max(both, 1):.3f}"


def _softer(root: Path) -> None:
    """Overlap of the pairs that nothing was chosen on, with the second person softer."""
    for softer_db in (0.0, 6.0, 12.0):
        made = list(simulated(root, softer_db=softer_db))[1::2]
        rows = [(turns, _analysed(room, role=Role.ROOM)) for _, room, turns, _ in made]
        print(_overlap(f"second person {softer_db:.0f} dB softer", rows), flush=True)


def _three(root: Path) -> None:
    """Three people in one microphone, one after the other, in any order."""
    people = _people(root)
    rng = np.random.default_rng(1)
    print("| people | found | error | missed | false | confused | error, .25 s collar |\n|---|---|---|---|---|---|---|")
    errors, right = [], 0
    for trio in combinations(people, 3):
        room = rng.normal(0.0, 8e-4, SECONDS * RATE).astype(np.float32)
        turns: Turns = {who: [] for who in trio}
        at, last = 1.0, ""
        while True:
            last = str(rng.choice([who for who in trio if who != last]))
            turn = np.concatenate([people[last][i] for i in rng.integers(len(people[last]), size=rng.integers(1, 4))])
            if at + len(turn) / RATE > SECONDS - 1:
                break
            first = round(at * RATE)
            room[first : first + len(turn)] += turn * np.float32(0.08 / np.sqrt(np.mean(turn**2)))
            turns[last].append((at, at + len(turn) / RATE))
            at += len(turn) / RATE + rng.uniform(0.1, 1.0)
        heard = _spans(_analysed(room, role=Role.ROOM))
        errors.append((error_rate(turns, heard)[0], error_rate(turns, heard, collar=COLLAR)[0]))
        right += len(heard) == len(trio)
        parts = " | ".join(f"{v:.3f}" for v in error_rate(turns, heard))
        print(f"| {' + '.join(trio)} | {len(heard)} | {parts} | {errors[-1][1]:.3f} |", flush=True)
    strict, loose = np.mean(errors, axis=0)
    print(f"three people: mean error {strict:.3f}, with collar {loose:.3f}; number right in {right} of {len(errors)}")


def _in_the_room(rows: list[tuple[Turns, Findings]]) -> None:
    """Latency and share of overlap from the one microphone."""
    away: list[float] = []
    shares: list[float] = []
    for turns, found in rows:
        answers = [
            (e.start_s, e.end_s, float(e.evidence["latency_s"]))
            for e in found.events
            if e.kind == "answer" and e.speaker
        ]
        away += _differences(answers, _all(turns))
        true = float((_frames(turns, round(100 * found.end_s)).sum(axis=0) > 1).mean())
        share = next(m.value for m in found.measures if m.biomarker == "turn_overlap_share" and m.speaker == "s1")
        shares.append((np.nan if share is None else share) - true)
    size = np.abs(away)
    print(
        f"one microphone, the others: latency of {len(away)} of {sum(len(_all(t)) for t, _ in rows)} answers, median of"
    )
    print(f"the absolute difference {np.median(size):.3f} s, 90th percentile {np.quantile(size, 0.9):.3f} s;")
    print(f"share of overlap off by {', '.join(f'{v:+.4f}' for v in shares)}")


def _all(turns: Turns) -> list[tuple[float, float, float]]:
    return [row for who in turns for row in _true_latencies(turns, who)]


def _differences(answers: list[tuple[float, float, float]], known: list[tuple[float, float, float]]) -> list[float]:
    """Of latencies whose answer was found: one that begins or ends within .3 s."""
    out: list[float] = []
    for start, end, latency in known:
        near = [v for a, b, v in answers if min(abs(a - start), abs(b - end)) < 0.3]
        out += [near[0] - latency] if near else []
    return out


def _models() -> VoiceModels:
    return VoiceModels(*(model_path(name) for name in MODELS[Group.AUDIO]))


def _analysed(samples: np.ndarray, *, role: Role, speakers: int = 0) -> Findings:
    return analyse_audio([samples], Setting(role=role), models=_models(), config=AudioConfig(speakers=speakers))


def _spans(found: Findings) -> Turns:
    out: Turns = {}
    for event in found.events:
        if event.kind == "turn":
            out.setdefault(event.speaker, []).append((event.start_s, event.end_s))
    return out


def error_rate(truth: Turns, found: Turns, *, collar: int = 0) -> tuple[float, float, float, float]:
    """Diarization error rate and its parts: missed, false and confused speech over all speech, overlap counted.

    Parameters
    ----------
    truth, found : dict
        Turns in s by speaker.
    collar : int, optional
        Frames of 10 ms on either side of every true end that are left out.

    Returns
    -------
    tuple of float
        Error, missed, false, confused.
    """
    from scipy.optimize import linear_sum_assignment

    n = round(100 * max(end for spans in (*truth.values(), *found.values()) for _, end in spans)) + 1
    lab, hyp = _frames(truth, n), _frames(found, n)
    keep = np.ones(n, dtype=bool)
    for row in lab if collar else ():
        for edge in np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(int))):
            keep[max(edge - collar, 0) : edge + collar] = False
    lab, hyp = lab[:, keep], hyp[:, keep]
    shared = lab.astype(int) @ hyp.T.astype(int)
    right = float(shared[linear_sum_assignment(-shared)].sum())
    there, said = lab.sum(axis=0), hyp.sum(axis=0)
    total = max(float(there.sum()), 1.0)
    missed = float(np.maximum(there - said, 0).sum()) / total
    false = float(np.maximum(said - there, 0).sum()) / total
    confused = (float(np.minimum(there, said).sum()) - right) / total
    return missed + false + confused, missed, false, confused


def _frames(turns: Turns, n: int) -> np.ndarray:
    out = np.zeros((len(turns), n), dtype=bool)
    for row, spans in zip(out, turns.values(), strict=True):
        for start, end in spans:
            row[round(100 * start) : round(100 * end)] = True
    return out


def _read(path: Path) -> np.ndarray:
    import soundfile

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != RATE:
        raise SystemExit(f"{path.name} must have 16 kHz")
    return np.asarray(samples[:, 0])


def _marked(path: Path, name: str) -> Turns:
    out: Turns = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split()
        if path.suffix == ".rttm" and len(parts) > 7 and parts[1] == name:
            out.setdefault(parts[7], []).append((float(parts[3]), float(parts[3]) + float(parts[4])))
        if path.suffix == ".segments" and len(parts) == 3:
            out.setdefault(parts[2], []).append((float(parts[0]), float(parts[1])))
    return out


def _real(root: Path):  # noqa: ANN202
    folder = root / "speech_diar"
    for name, marks in (("sample", "sample.rttm"), ("dev00", "debug.development.rttm")):
        turns, samples = _marked(folder / marks, name), _read(folder / f"{name}.wav")
        yield name, samples, turns, 0
        yield name, samples, turns, len(turns)


def _people(root: Path) -> dict[str, list[np.ndarray]]:
    """Phrases of five people: cut where they breathe, so that a phrase is speech from end to end."""
    sample = _read(root / "speech_diar" / "sample.wav")
    read = {
        "libri": [_read(root / "speech_asr" / "libri-1088-134315-0000.wav")],
        "librivox": [_read(root / "speech_asr" / f"librivox_0{n}.wav") for n in (870, 890)],
        "arctic": [_read(root / "speech_pitch_ref" / "arctic_a0007.wav")],
        "dialogue_1": [sample[int(11.1 * RATE) : int(14.4 * RATE)], sample[int(18.7 * RATE) : int(21.4 * RATE)]],
        "dialogue_2": [sample[int(15.0 * RATE) : int(17.9 * RATE)], sample[int(21.9 * RATE) : int(27.8 * RATE)]],
    }
    return {who: [p for x in pieces for p in _phrases(x)] for who, pieces in read.items()}


def _phrases(samples: np.ndarray) -> list[np.ndarray]:
    """Stretches within 22 dB of the loudest but for .12 s, at least .4 s long: no breath is among them."""
    rows = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    level = 10.0 * np.log10(np.maximum(np.mean(rows**2, axis=1), 1e-12))
    loud = np.flatnonzero(level > np.quantile(level, 0.95) - 22.0)
    cuts = np.flatnonzero(np.diff(loud) > 12)
    starts, ends = loud[np.concatenate([[0], cuts + 1])], loud[np.concatenate([cuts, [len(loud) - 1]])] + 1
    return [samples[a * 160 : b * 160] for a, b in zip(starts, ends, strict=True) if b - a >= 40]


def simulated(
    root: Path, *, softer_db: float = 0.0, path: np.ndarray | None = None
) -> Iterator[tuple[str, np.ndarray, Turns, dict[str, np.ndarray]]]:
    """Conversations of 90 s: name, the room's sound, turns by person, and each person's microphone.

    `path` is the impulse response from the other person to a microphone; without one it is -30 dB.
    """
    from scipy.signal import fftconvolve

    path = np.asarray([0.03]) if path is None else path
    people = _people(root)
    rng = np.random.default_rng(20261125)
    for one, two in combinations(people, 2):
        own = {who: np.zeros(SECONDS * RATE, dtype=np.float32) for who in (one, two)}
        turns: Turns = {one: [], two: []}
        at, who = 1.0, one
        while True:
            turn = np.concatenate([people[who][i] for i in rng.integers(len(people[who]), size=rng.integers(1, 4))])
            level = 0.08 * (10.0 ** (-softer_db / 20.0) if who == two else 1.0)
            turn = turn * np.float32(level / np.sqrt(np.mean(turn**2)))
            if at + len(turn) / RATE > SECONDS - 1:
                break
            first = round(at * RATE)
            own[who][first : first + len(turn)] += turn
            turns[who].append((at, at + len(turn) / RATE))
            at = max(at + len(turn) / RATE + rng.uniform(-0.6, 1.2), max(e for _, e in turns[one] + turns[two]) - 0.6)
            who = two if who == one else one
        noise = {k: rng.normal(0.0, 8e-4, SECONDS * RATE).astype(np.float32) for k in own}
        room = own[one] + own[two] + noise[one]
        far = {k: fftconvolve(x, path)[: len(x)].astype(np.float32) for k, x in own.items()}
        apart = {k: own[k] + far[two if k == one else one] + noise[k] for k in own}
        yield f"{one} + {two}", room, turns, apart


def _paths() -> dict[str, np.ndarray]:
    """From one person to the other's microphone."""
    rng = np.random.default_rng(3)
    t = np.arange(round(0.4 * RATE))
    room = rng.normal(size=len(t)) * np.exp(-6.9 * t / len(t))
    room /= np.sqrt(np.square(room).sum())
    direct, echo = np.eye(1, len(t))[0], np.zeros(len(t))
    echo[round(0.15 * RATE)] = 0.1
    return {
        "-30 dB": 0.03 * direct,
        "-20 dB": 0.1 * direct,
        "-14 dB": 0.2 * direct,
        "-15 dB in a room, .4 s": 0.178 * np.sqrt(0.5) * (direct + room),
        "-12 dB in a room, .4 s": 0.25 * np.sqrt(0.5) * (direct + room),
        "echo -20 dB, .15 s late": echo,
    }


def _crosstalk(root: Path) -> None:
    """How much of what is said to be a person's speech is not, and what becomes of turn taking."""
    print("| the other's voice | own speech wrong | F0 off | latency | 90th | answers found of, said | overlap off |")
    print("|---|---|---|---|---|---|---|")
    for name, path in _paths().items():
        wrong, off, away, said, known, over = [], [], [], 0, 0, []
        for _, _, turns, apart in simulated(root, path=path):
            for (who, alone), (truth, heard) in zip(apart.items(), _together(turns, apart), strict=True):
                own = _frames({"": turns[who]}, len(heard.heard.speech))[0]
                wrong.append(float((heard.heard.speech != own).sum() / own.sum()))
                answers = _answers(heard)
                away += _differences(answers, truth)
                said, known = said + len(answers), known + len(truth)
                f0 = next(m.value for m in heard.measures if m.biomarker == "voice_f0_p50" and not m.speaker)
                off.append(abs(float(np.log2((f0 or np.nan) / _own_f0(alone, own)))) * 12.0)
                both = (_frames(turns, len(own)).sum(axis=0) > 1).mean()
                share = next(m.value for m in heard.measures if m.biomarker == "turn_overlap_share" and not m.speaker)
                over.append(abs((np.nan if share is None else share) - float(both)))
        size = np.abs(away)
        print(
            f"| {name} | {np.median(wrong):.3f} ({max(wrong):.3f}) | {np.nanmedian(off):.2f} st"
            f" | {np.median(size):.3f} s | {np.quantile(size, 0.9):.3f} s | {len(away)} of {known}, {said}"
            f" | {np.nanmedian(over):.4f} |",
            flush=True,
        )


def _own_f0(samples: np.ndarray, own: np.ndarray) -> float:
    """Median pitch where the person speaks and nobody is asked who does."""
    from cueflow.tasks.audio.quality.pitch import track_pitch
    from cueflow.tasks.audio.signal.stream import chunks

    tracks = [
        track_pitch(c.samples, n_frames=c.n_frames, floor_hz=60.0, ceiling_hz=500.0, peak=0.5).f0_hz
        for c in chunks([samples])
    ]
    f0 = np.concatenate(tracks)
    return float(np.nanmedian(f0[own[: len(f0)]]))


def _together(turns: Turns, apart: dict[str, np.ndarray]) -> list[tuple[list[tuple[float, float, float]], Findings]]:
    """For each person the true answers, and what was found with both microphones."""
    roles = dict(zip(apart, (Role.PATIENT, Role.CLINICIAN), strict=True))
    results = between_recordings([result_of(_analysed(x, role=roles[who]), roles[who]) for who, x in apart.items()])
    found = []
    for who, result in zip(apart, results, strict=True):
        if result.findings is None or result.findings.heard is None:
            raise SystemExit(f"{who} was not heard")
        found.append((_true_latencies(turns, who), result.findings))
    return found


def _answers(found: Findings) -> list[tuple[float, float, float]]:
    return [
        (e.start_s, e.end_s, float(e.evidence["latency_s"]))
        for e in found.events
        if e.kind == "answer" and not e.speaker
    ]


def _latencies(made) -> None:  # noqa: ANN001
    away: list[float] = []
    means: list[float] = []
    for _, _, turns, apart in made:
        for known, found in _together(turns, apart):
            away += _differences(_answers(found), known)
            mean = next(m.value for m in found.measures if m.biomarker == "turn_latency_mean" and not m.speaker)
            means.append(abs((mean or np.nan) - float(np.mean([v for _, _, v in known]))))
    size = np.abs(away)
    print(f"latency of {len(away)} answers with a microphone each: median difference {np.median(away):+.3f} s,")
    print(f"median of the absolute {np.median(size):.3f} s, 90th percentile {np.quantile(size, 0.9):.3f} s;")
    print(f"mean latency of {len(means)} people: median of the absolute difference {np.nanmedian(means):.3f} s")


def _true_latencies(turns: Turns, who: str) -> list[tuple[float, float, float]]:
    other = next(k for k in turns if k != who)
    order = sorted([(a, b, who) for a, b in turns[who]] + [(a, b, other) for a, b in turns[other]])
    return [
        (min(before[1], now[0]), max(before[1], now[0]), now[0] - before[1])
        for before, now in pairwise(order)
        if now[2] == who and before[2] == other
    ]


def result_of(found: Findings, role: Role) -> StreamResult:
    """Findings as the flow has them between its steps."""
    return StreamResult(
        modality="audio", role=role, channel="", status=found.status, reason=found.reason, message="", findings=found,
        method_version="", model_sha256="", input_sha256="", seconds=0.0,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
