"""A simulated cohort is complete, readable, and the same for the same seed."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest

from cueflow.schemas.errors import ConfigError
from cueflow.tasks.simulate import Effects, simulate
from cueflow.tasks.simulate.cohort import draw_cohort

PHYSIOLOGY = ("ecg", "respiration", "ppg", "eda", "accelerometer", "temperature")
TINY = Effects.quick(width=160, height=96)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("quick") / "cohort"
    simulate(out, sessions=1, minutes=8 / 60, seed=3, effects=Effects.quick())
    return out


def test_every_row_of_the_manifest_is_a_file_with_its_channel(quick):
    found = rows(quick / "manifest.csv")
    assert {row["modality"] for row in found} == {"video", "audio", *PHYSIOLOGY}
    for row in found:
        path = quick / row["path"]
        assert path.stat().st_size > 1000
        if path.suffix == ".csv":
            table = pl.read_csv(path)
            assert table["time_s"].is_sorted()
            assert table[row["channel"]].is_not_null().all()


def test_the_video_has_the_frames_and_times_of_the_plan(quick):
    with av.open(str(quick / "s001" / "video.mp4")) as file:
        stream = file.streams.video[0]
        times = [float(frame.pts * stream.time_base) for frame in file.decode(stream)]
        assert (stream.width, stream.height) == (320, 180)
    assert np.allclose(times, np.arange(200) / 25.0, atol=1e-4)


def test_the_same_seed_gives_the_same_tables_byte_for_byte(tmp_path):
    effects = replace(Effects(), modalities=("ecg", "eda", "audio"))
    names = ("truth.parquet", "manifest.csv", "events.csv", "labels.csv", "subjects.csv", "exclusions.csv")
    for folder in ("a", "b"):
        simulate(tmp_path / folder, sessions=4, minutes=0.2, seed=5, effects=effects)
    simulate(tmp_path / "c", sessions=4, minutes=0.2, seed=6, effects=effects)
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "truth.parquet").read_bytes() != (tmp_path / "c" / "truth.parquet").read_bytes()
    recordings = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.csv")]
    assert all((tmp_path / "a" / p).read_bytes() == (tmp_path / "b" / p).read_bytes() for p in recordings)


def test_two_workers_write_what_one_writes(tmp_path):
    effects = replace(TINY, modalities=("ecg", "eda"))
    seen: list[tuple[int, int, str]] = []
    for folder, workers in (("one", 1), ("two", 2)):
        simulate(
            tmp_path / folder,
            sessions=2,
            minutes=0.1,
            effects=effects,
            workers=workers,
            progress=lambda *done: seen.append(done),
        )
    one = {p.name: p.read_bytes() for p in (tmp_path / "one").rglob("*") if p.is_file()}
    two = {p.name: p.read_bytes() for p in (tmp_path / "two").rglob("*") if p.is_file()}
    assert one == two
    assert seen == [(1, 2, "s001"), (2, 2, "s002")] * 2


def test_broken_sessions_come_on_top_and_are_broken(tmp_path):
    effects = replace(TINY, modalities=("video", "ecg"), broken=True)
    cohort = simulate(tmp_path / "c", sessions=8, minutes=4.0 / 60, effects=effects)
    assert cohort.session_ids == tuple(f"s{k:03d}" for k in range(1, 11))
    assert cohort.broken_ids == ("s009", "s010")
    with pytest.raises(av.FFmpegError), av.open(str(tmp_path / "c" / "s009" / "video.mp4")):
        pass
    assert (tmp_path / "c" / "s009" / "chest.edf").stat().st_size > 1000
    assert [p.name for p in (tmp_path / "c" / "s010").iterdir()] == ["video.mp4"]
    assert (tmp_path / "c" / "s010" / "video.mp4").read_text(encoding="utf-8").startswith("This is a text")
    truth = pl.read_parquet(cohort.truth)
    broken = truth.filter(pl.col("kind") == "broken_file").select("session_id", "name").rows()
    assert broken == [("s009", "truncated"), ("s010", "text")]


def test_gaps_are_missing_rows_or_empty_cells_where_truth_says(tmp_path):
    effects = replace(Effects.plain(), modalities=("eda",), gaps_per_min=4.0, clock_offset_s=2.0, clock_drift_ppm=40.0)
    simulate(tmp_path / "c", sessions=1, minutes=1.0, seed=2, effects=effects)
    truth = pl.read_parquet(tmp_path / "c" / "truth.parquet")
    offset = truth.filter(kind="clock_offset", name="eda")["value"].item()
    drift = truth.filter(kind="clock_drift", name="eda")["value"].item()
    start = float(rows(tmp_path / "c" / "manifest.csv")[0]["start_s"])
    assert start == pytest.approx(offset)
    table = pl.read_csv(tmp_path / "c" / "s001" / "wrist.csv")
    session = offset + table["time_s"].to_numpy() * (1 + 1e-6 * drift)
    values = table["eda"].to_numpy()
    gaps = truth.filter(kind="gap")
    assert set(gaps["name"]) == {"wrist rows", "wrist nan"}
    for name, onset, length in gaps.select("name", "onset_s", "duration_s").rows():
        inside = (session > onset + 0.001) & (session < onset + length - 0.001)
        if name == "wrist rows":
            assert not inside.any()
        else:
            assert inside.sum() == pytest.approx(64 * length, abs=2)
            assert np.isnan(values[inside]).all()
    assert np.isnan(values).sum() == pytest.approx(64 * gaps.filter(name="wrist nan")["duration_s"].sum(), abs=4)


def test_labels_follow_the_stated_log_odds():
    def separation(strength: float) -> float:
        plans = draw_cohort(200, 0.1, 1, replace(TINY, label_strength=strength))
        odds = np.array([plan.latents.distress for plan in plans])
        label = np.array([plan.latents.label for plan in plans])
        assert 0.35 < label.mean() < 0.65
        return float(odds[label == 1].mean() - odds[label == 0].mean())

    assert separation(1.0) > 0.8
    assert abs(separation(0.0)) < 0.3


def test_log_odds_are_the_coefficients_times_the_latents(tmp_path):
    from cueflow.tasks.simulate.people import SPREADS, base_values

    plan = draw_cohort(1, 0.2, 4, TINY)[0]
    base = base_values(TINY, plan.subject)
    total = sum(
        spread.coefficient * np.log(plan.latents.values[name] / base[name]) / np.hypot(spread.noise, spread.distress)
        for name, spread in SPREADS.items()
    )
    assert plan.latents.log_odds == pytest.approx(total)


def test_a_session_that_lacks_a_modality_says_so(tmp_path):
    effects = replace(TINY, modalities=("ecg", "eda"), missing_share=1.0)
    simulate(tmp_path / "c", sessions=2, minutes=0.1, effects=effects)
    truth = pl.read_parquet(tmp_path / "c" / "truth.parquet")
    missing = set(truth.filter(kind="missing_modality").select("session_id", "name").rows())
    there = {(row["session_id"], row["modality"]) for row in rows(tmp_path / "c" / "manifest.csv")}
    assert missing
    assert missing | there == {(s, m) for s in ("s001", "s002") for m in ("ecg", "eda")}
    assert not missing & there


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"sessions": 0}, "at least one session"),
        ({"minutes": 0.01}, "at least one session of 4 s"),
        ({"effects": replace(TINY, width=161)}, "even"),
        ({"effects": replace(TINY, modalities=())}, "modality"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(tmp_path, options, match):
    with pytest.raises(ConfigError, match=match):
        simulate(tmp_path / "c", **options)
    assert not (tmp_path / "c").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(ConfigError, match="not an empty folder"):
        simulate(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
