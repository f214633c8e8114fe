"""Long simulated sessions: which flow, which temporal adapter, relations on or off; every figure of unseen subjects.

python benchmarks/actions_sessions.py PICTURES FOLDER [--harsh] [--subjects 12] [--minutes 10] look
python benchmarks/actions_sessions.py PICTURES FOLDER [--harsh] [--folds 2] [--epochs 16] table [NAME …]

PICTURES holds photographs (*.jpg), of which the sessions are drawn (see `actions_scene.py`). `look` draws the sessions
at the backbone's own size and keeps what the backbone says of them in FOLDER, a session a file: a second call goes on
where the first one ended. `table` compares sources of motion: NAME joins them by "+": keys, images (signed attention),
attention (the published statistic), optical, pixels, appearance; "norel" leaves the relations out, "tpu=KIND" puts a
temporal adapter before the head (conv, dilated, attention, gru), "probe" is a linear probe of single frames. Finished
lines are kept in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from actions_ablation import probe
from actions_scene import (
    CLASSES,
    CLEAN,
    HARSH,
    MOTION,
    ORDERED,
    RATE,
    SIZE,
    Script,
    frames,
    make_look,
    read_pictures,
    write_scripts,
)
from measure import heading
from safetensors.numpy import load_file, save_file

from cueflow.flows.work.stages import model_path
from cueflow.tasks.actions.evaluate import Judged, bootstrap, cross_validate, report
from cueflow.tasks.actions.features import SOURCES, ClipFeatures, FeatureBuilder, Looks, make_backbone, see
from cueflow.tasks.actions.files import read_features, write_features
from cueflow.tasks.actions.labels import step_labels
from cueflow.tasks.actions.metrics import frame_ap, frame_map
from cueflow.tasks.actions.model import FeatureSetting
from cueflow.tasks.actions.training import Clip, TrainOptions

FLOWS = ("appearance", "pixels", "optical", "attention", "images", "keys")
NAMES = (
    "keys+appearance+probe",
    "keys+optical",
    *FLOWS,
    "keys+norel",
    *(f"{flow}+tpu=conv" for flow in FLOWS),
    *(f"{flow}+norel" for flow in FLOWS if flow != "keys"),
    *(f"{flow}+tpu=conv+norel" for flow in FLOWS),
    "keys+optical+norel",
    "keys+optical+appearance",
    "keys+tpu=dilated",
    "keys+tpu=attention",
    "keys+tpu=gru",
)
HALF = ("keys", "images", "attention", "tokens")


def look(scripts: list[Script], pictures: list[np.ndarray], folder: Path, *, harsh: bool) -> None:
    """Draw every session and keep what the backbone says of it."""
    torch.set_num_threads(1)
    backbone = make_backbone(model_path("dinov2_small"))
    for script in scripts:
        file, number = folder / f"{script.session_id}.looks", int(script.session_id[1:])
        if file.is_file():
            continue
        started, parts = time.perf_counter(), []
        scene = make_look(pictures, number, script.seed)
        for times, shown in frames(script, scene, HARSH if harsh else CLEAN):
            seen = see(backbone, times, shown, size=SIZE)
            parts.append(
                {n: getattr(seen, n).astype(np.float16) if n in HALF else getattr(seen, n) for n in Looks.__slots__}
            )
        whole = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
        save_file(whole, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
        spent = time.perf_counter() - started
        print(
            f"{script.session_id}: {len(whole['times_s'])} frames, {len(whole['times_s']) / spent:.1f} a second",
            flush=True,
        )


def features(scripts: list[Script], folder: Path) -> list[ClipFeatures]:
    """Features of all sessions, made once."""
    found = []
    for script in scripts:
        file = folder / f"{script.session_id}.features"
        known = read_features(file)
        if known is None:
            kept = load_file(folder / f"{script.session_id}.looks")
            builder = FeatureBuilder(aspect=1.0)
            for first in range(0, len(kept["times_s"]), 256):
                part = {n: x[first : first + 256] for n, x in kept.items()}
                builder.add(Looks(**{n: x.astype(np.float32) if n in HALF else x for n, x in part.items()}))
            known = builder.done()
            write_features(file, known)
        found.append(known)
    return found


def clips_of(scripts: list[Script], folder: Path) -> list[Clip]:
    """Features and annotations of all sessions that were looked at."""
    there = [s for s in scripts if any((folder / f"{s.session_id}.{kind}").is_file() for kind in ("looks", "features"))]
    if missing := len(scripts) - len(there):
        print(f"{missing} session(s) were not looked at yet and are left out: `look` goes on with them")
    found = features(there, folder)
    return [Clip(s.session_id, s.subject_id, f, s.actions) for s, f in zip(there, found, strict=True)]


def judged_by(name: str, clips: Sequence[Clip], *, folds: int, epochs: int, seed: int) -> list[Judged]:
    """Answers for every session of models trained without its subject."""
    parts = name.split("+")
    sources = tuple(p for p in parts if p in SOURCES)
    unit = next((p.removeprefix("tpu=") for p in parts if p.startswith("tpu=")), "")
    setting = FeatureSetting("", RATE, SIZE, sources, "appearance" in parts)
    if "probe" in parts:
        return probe(clips, CLASSES, setting, folds=folds)
    options = TrainOptions(
        epochs=epochs,
        patience=epochs,
        learning_rate=4e-3,
        cover=1.0,
        batch=4,
        relations="norel" not in parts,
        unit=unit,
        seed=seed,
    )
    return cross_validate(clips, CLASSES, setting, folds=folds, options=options)


def figures(judged: Sequence[Judged], *, plain: bool, seed: int) -> dict[str, Any]:
    """Frame mAP over all, over motion and over ordered classes, with intervals over subjects; event mAP, segment F1."""
    columns = {
        "all": list(range(len(CLASSES))),
        "motion": [CLASSES.index(c) for c in MOTION],
        "ordered": [CLASSES.index(c) for c in ORDERED],
    }
    found: dict[str, Any] = {}
    for group, own in columns.items():
        part = [replace(j, probability=j.probability[:, own], truth=j.truth[:, own]) for j in judged]
        scores, truth = (np.concatenate([getattr(j, n) for j in part]) for n in ("probability", "truth"))
        found[group] = [frame_map(scores, truth), *bootstrap(part, seed=seed)]
    scores, truth = (np.concatenate([getattr(j, n) for j in judged]) for n in ("probability", "truth"))
    found["classes"] = dict(zip(CLASSES, frame_ap(scores, truth).tolist(), strict=True))
    found["subjects"] = {j.subject_id: frame_map(j.probability, j.truth) for j in judged}
    if plain:
        return found
    whole = report(judged, CLASSES, rate_hz=RATE)
    return found | {"event": whole["event_map"], "segment": whole["segment_f1"], "conditional": whole["conditional"]}


def line(name: str, found: dict[str, Any]) -> str:
    """One row of the table."""
    cells = [name, *("{:.3f} ({:.3f}–{:.3f})".format(*found[g]) for g in ("all", "motion", "ordered"))]
    cells += [f"{found['event']['0.5']:.3f}", f"{found['segment']['0.5']:.3f}"] if "event" in found else ["–", "–"]
    cells += [f"{found['classes'][c]:.2f}" for c in CLASSES]
    return "| " + " | ".join([*cells, f"{found['s']:.0f}"]) + " |"


def table(clips: list[Clip], names: Sequence[str], folder: Path, *, folds: int, epochs: int, seed: int) -> None:
    """Train and measure what is not yet in the folder, print a line for each."""
    head = ["what", "frame mAP (95 %)", "motion classes", "classes with order", "event mAP .5", "segment F1 .5"]
    head += [*CLASSES, "s"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    for name in names:
        file = folder / f"{name.replace('=', '_')}.n{len(clips)}f{folds}e{epochs}s{seed}.json"
        if not file.is_file():
            started = time.perf_counter()
            judged = judged_by(name, clips, folds=folds, epochs=epochs, seed=seed)
            found = figures(judged, plain="probe" in name, seed=seed)
            file.write_text(json.dumps(found | {"s": time.perf_counter() - started}))
        print(line(name, json.loads(file.read_text())), flush=True)
    truth = np.concatenate([step_labels(c.actions, c.features.times_s, CLASSES) for c in clips]).mean(axis=0)
    print(f"| chance | {truth.mean():.3f} | | | | | " + " | ".join(f"{x:.2f}" for x in truth) + " | |")


def main() -> None:
    """Do one of the two things."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("look", "table"))
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--harsh", action="store_true", help="flicker, sensor noise and strong changes of light")
    parser.add_argument("--subjects", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder = given.folder / f"{'harsh' if given.harsh else 'clean'}_{given.minutes:g}min"
    folder.mkdir(parents=True, exist_ok=True)
    scripts = write_scripts(given.subjects, given.minutes, seed=1 if given.harsh else 0)
    if given.what == "look":
        look(scripts, read_pictures(given.pictures), folder, harsh=given.harsh)
        return
    torch.set_num_threads(1)
    print(heading(f"actions, {len(scripts)} simulated sessions of {given.minutes:g} minutes, {folder.name}"))
    names = given.names or NAMES
    table(clips_of(scripts, folder), names, folder, folds=given.folds, epochs=given.epochs, seed=given.seed)


if __name__ == "__main__":
    main()
