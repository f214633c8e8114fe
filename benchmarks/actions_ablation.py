"""Which motion source, which branch and which part of the head finds actions, on simulated videos with known truth.

python benchmarks/actions_ablation.py FOLDER [--noise 1.0] [--folds 4] [--seed 0] [NAME …]

FOLDER keeps the cohort (24 sessions of half a minute, 12 subjects, 320 × 180, with camera shifts and changes of light)
and the cached features, so that a second call only trains. A NAME joins sources by "+": keys, attention, optical,
pixels, appearance; "norel" leaves the relations out; "probe" is a linear probe that sees one frame at a time. Every
figure is of subjects that the model has not met; intervals are over resampled subjects.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from measure import heading

from cueflow.flows.actions.clips import load_clips
from cueflow.flows.actions.features import FeatureStore, feature_setting
from cueflow.tasks.actions.data.annotations import annotations_of
from cueflow.tasks.actions.data.labels import step_labels, usable_classes
from cueflow.tasks.actions.judge.evaluate import Judged, bootstrap, cross_validate, report
from cueflow.tasks.actions.judge.metrics import frame_ap, frame_map
from cueflow.tasks.actions.learn.training import Clip, TrainOptions, positive_weights, subject_folds
from cueflow.tasks.actions.store.model import FeatureSetting, fit_preparation
from cueflow.tasks.ingest.dataset import read_dataset
from cueflow.tasks.simulate import Effects, simulate

NAMES = (
    "keys+appearance+probe",
    "appearance",
    "attention",
    "pixels",
    "keys",
    "optical",
    "keys+optical",
    "keys+attention",
    "keys+norel",
    "keys+appearance",
    "keys+optical+appearance",
)
RATE = 8.0


def make_cohort(root: Path, *, noise: float, seed: int) -> None:
    """Write the cohort where it is not there yet."""
    effects = replace(
        Effects.plain(),
        modalities=("video",),
        width=320,
        height=180,
        patches_per_min=9.0,
        nods_per_min=7.0,
        shakes_per_min=7.0,
        camera_shift_px=20.0,
        zoom=0.15,
        lean=0.12,
        light=0.25,
        still_pixel_noise=noise,
    )
    if not (root / "truth.parquet").is_file():
        simulate(root, sessions=24, minutes=0.5, seed=seed, effects=effects)


def probe(clips: Sequence[Clip], classes: Sequence[str], setting: FeatureSetting, *, folds: int) -> list[Judged]:
    """A linear model of each frame's own features, in the same folds."""
    judged = []
    for out in subject_folds([c.subject_id for c in clips], folds, seed=0):
        ready = fit_preparation([c.features for c in clips if c.subject_id not in out], setting)
        steps = {c.session_id: ready.apply(c.features, setting, start_s=c.start_s) for c in clips}
        rows = {k: np.concatenate([s.motion, s.appearance], axis=1)[s.mask > 0] for k, s in steps.items()}
        truth = {
            c.session_id: step_labels(c.actions, steps[c.session_id].times_s, classes)[steps[c.session_id].mask > 0]
            for c in clips
        }
        inside = [c.session_id for c in clips if c.subject_id not in out]
        x = torch.from_numpy(np.concatenate([rows[k] for k in inside]))
        y = torch.from_numpy(np.concatenate([truth[k] for k in inside])).float()
        layer = torch.nn.Linear(x.shape[1], len(classes))
        optimiser = torch.optim.AdamW(layer.parameters(), lr=0.02, weight_decay=0.1)
        loss = torch.nn.BCEWithLogitsLoss(pos_weight=positive_weights(y))
        for _ in range(300):
            optimiser.zero_grad()
            loss(layer(x), y).backward()
            optimiser.step()
        for c in (c for c in clips if c.subject_id in out):
            with torch.no_grad():
                p = layer(torch.from_numpy(rows[c.session_id])).sigmoid().double().numpy()
            judged.append(Judged(c.session_id, c.subject_id, p, p > 0.5, truth[c.session_id], (), (), ()))
    return judged


def row(name: str, clips: Sequence[Clip], classes: Sequence[str], *, folds: int, seed: int) -> str:
    """One line of the table."""
    parts = name.split("+")
    sources = [p for p in parts if p not in {"appearance", "norel", "probe"}]
    setting = feature_setting(rate_hz=RATE, sources=sources, appearance="appearance" in parts)
    started = time.perf_counter()
    if "probe" in parts:
        judged = probe(clips, classes, setting, folds=folds)
    else:
        options = TrainOptions(seed=seed, relations="norel" not in parts)
        judged = cross_validate(clips, classes, setting, folds=folds, options=options)
    seconds = time.perf_counter() - started
    scores, truth = (np.concatenate([getattr(j, n) for j in judged]) for n in ("probability", "truth"))
    low, high = bootstrap(judged, seed=seed)
    cells = [name, f"{frame_map(scores, truth):.3f} ({low:.3f}–{high:.3f})"]
    if "probe" in parts:
        cells += ["–", "–"]
    else:
        found = report(judged, classes, rate_hz=RATE)
        cells += [f"{found['event_map']['0.5']:.3f}", f"{found['segment_f1']['0.5']:.3f}"]
    cells += [f"{ap:.2f}" for ap in frame_ap(scores, truth)]
    return "| " + " | ".join([*cells, f"{seconds:.0f}"]) + " |"


def main() -> None:
    """Make what is missing, train, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--noise", type=float, default=1.0, help="sensor noise in grey levels")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    root = given.folder / f"cohort_{given.noise:g}"
    make_cohort(root, noise=given.noise, seed=0)
    data, started = read_dataset(root), time.perf_counter()
    store = FeatureStore(given.folder / "features", feature_setting(rate_hz=RATE))
    clips, warnings = load_clips(data, annotations_of(data), store)
    print(heading("actions, simulated"))
    print(f"features of {len(clips)} sessions in {time.perf_counter() - started:.0f} s; {given.folds} folds", *warnings)
    actions = {c.session_id: c.actions for c in clips}
    classes, _ = usable_classes(actions, {c.session_id: c.subject_id for c in clips})
    head = ["what", "frame mAP (95 %)", "event mAP .5", "segment F1 .5", *classes, "s"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for name in given.names or NAMES:
        print(row(name, clips, classes, folds=given.folds, seed=given.seed), flush=True)
    truth = np.concatenate([step_labels(c.actions, c.features.times_s + c.start_s, classes) for c in clips])
    print("| chance | " + f"{truth.mean():.3f} | | | " + " | ".join(f"{x:.2f}" for x in truth.mean(axis=0)) + " | |")


if __name__ == "__main__":
    main()
