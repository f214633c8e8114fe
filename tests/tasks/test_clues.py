"""Recorders placed by time stamps, sound and marks; what their files say of their clocks."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Clues, Event, Findings, Signal, StreamResult, Trace
from cueflow.schemas.session import Marker, Modality, Role, Stream
from cueflow.tasks.align import align
from cueflow.tasks.clock.clues import clues_of, evenly, loudness, shaking, times_of
from cueflow.tasks.clock.lines import Jump, Offset
from cueflow.tasks.clock.marks import marks_of, marks_offset, rising
from cueflow.tasks.clock.move import moved
from cueflow.tasks.clock.place import needs_clues, place_recorders
from cueflow.tasks.clock.tracks import movement_offset
from cueflow.tasks.ingest.audio import audio_start_s
from cueflow.tasks.ingest.held import Held
from cueflow.tasks.ingest.signals import read_signal
from cueflow.tasks.simulate.plan import Clock

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()


def stream(name, *, modality=Modality.EDA, role=Role.PATIENT, start_s=None):
    return Stream(modality, name, role=role, start_s=start_s)


def result(of, clues, *, length_s=600.0, start_s=0.0):
    found = Findings(start_s, start_s + length_s, 1.0, None, Status.OK, None, (), (), ())
    return StreamResult(of.modality, of.role, of.channel, Status.OK, None, "", found, "1", "", "", 0.1, clues)


def placed(*pairs, markers=()):
    return place_recorders([result(s, c) for s, c in pairs], [s for s, _ in pairs], markers=markers)


# ---- time stamps


def stamps(began_s, *, zoned=True):
    return Clues(began_s=began_s, began_error_s=1.0, zoned=zoned)


def test_two_absolute_stamps_place_a_recorder_to_what_clocks_that_people_set_allow():
    one, other = stream("a.csv", start_s=0.0), stream("b.csv", modality=Modality.TEMPERATURE)
    place = placed((one, stamps(NOON)), (other, stamps(NOON + 12.5))).found[other.key]
    assert place.offset_s == pytest.approx(12.5)
    assert place.method == "time stamps"
    assert 2.0 < place.uncertainty_s < 5.0


@pytest.mark.parametrize("hours", [-5, 1, 5.5])
def test_a_clock_in_local_time_is_noticed_and_not_trusted(hours):
    one, other = stream("a.csv", start_s=0.0), stream("b.csv", modality=Modality.TEMPERATURE)
    places = placed((one, stamps(NOON)), (other, stamps(NOON + 12.5 + 3600 * hours, zoned=False)))
    assert other.key not in places.found
    assert places.reasons[other.key] is Reason.LOCAL_TIME


def test_a_clock_in_local_time_is_placed_by_what_was_shared_and_still_named():
    one, other = stream("a.csv", start_s=0.0), stream("b.csv", modality=Modality.TEMPERATURE)
    rng = np.random.default_rng(1)
    marks = np.sort(rng.uniform(20.0, 580.0, 8))
    ours = Clues(began_s=NOON, zoned=True, marks_s=tuple(marks))
    theirs = Clues(began_s=NOON + 3612.0, marks_s=tuple(marks - 12.5))
    places = placed((one, ours), (other, theirs))
    assert places.found[other.key].offset_s == pytest.approx(12.5, abs=0.01)
    assert places.reasons[other.key] is Reason.LOCAL_TIME


def test_one_stamp_alone_places_nothing():
    one, other = stream("a.csv", start_s=0.0), stream("b.csv", modality=Modality.TEMPERATURE)
    places = placed((one, stamps(NOON)), (other, Clues()))
    assert places.reasons == {other.key: Reason.NOTHING_SHARED}


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        ("time,eda\n1714564800.0,5\n1714564800.25,5.1\n", True),
        ("time,eda\n2024-05-01T12:00:00Z,5\n2024-05-01T12:00:00.25Z,5.1\n", True),
        ("time,eda\n2024-05-01T12:00:00,5\n2024-05-01T12:00:00.25,5.1\n", False),
    ],
)
def test_tables_say_when_they_began_and_whether_the_zone_is_known(tmp_path, text, zoned):
    (tmp_path / "a.csv").write_text(text)
    signal = read_signal(tmp_path / "a.csv", modality=Modality.EDA, channel="eda", start_s=3.0)
    assert signal.began_s == pytest.approx(NOON - 3.0)
    assert signal.zoned is zoned
    (tmp_path / "b.csv").write_text("time,eda\n0.0,5\n0.25,5.1\n")
    assert read_signal(tmp_path / "b.csv", modality=Modality.EDA, channel="eda").began_s is None


def test_headers_say_when_they_began(tmp_path):
    import pyedflib

    with pyedflib.EdfWriter(str(tmp_path / "a.edf"), 1, file_type=pyedflib.FILETYPE_EDFPLUS) as writer:
        writer.setStartdatetime(datetime(2024, 5, 1, 12, 0, 0))  # noqa: DTZ001 - EDF knows no zones
        writer.setSignalHeaders([pyedflib.highlevel.make_signal_header("eda", dimension="uS", sample_frequency=8)])
        writer.writeSamples([np.linspace(1.0, 2.0, 80)])
        writer.writeAnnotation(1.5, -1, "tone")
        writer.writeAnnotation(4.25, -1, "tone")
    signal = read_signal(tmp_path / "a.edf", modality=Modality.EDA)
    assert (signal.began_s, signal.zoned) == (NOON, False)
    assert marks_of(tmp_path / "a.edf").tolist() == pytest.approx([1.5, 4.25])
    np.zeros(40, dtype="<i2").tofile(tmp_path / "b.dat")
    (tmp_path / "b.hea").write_text("b 1 8 40 12:00:00 01/05/2024\nb.dat 16 200/uS 12 0 0 0 0 eda\n")
    assert read_signal(tmp_path / "b.hea", modality=Modality.EDA).began_s == NOON


# ---- sound


def talk(rng, seconds, rate=8000):
    loud = np.repeat((rng.random(seconds * 4) > 0.5) * rng.uniform(0.2, 1.0, seconds * 4), rate // 4)
    return rng.normal(size=len(loud)) * loud + 0.002 * rng.normal(size=len(loud))


def wav(path, samples, rate=8000):
    from cueflow.tasks.simulate.sound import write_wav

    write_wav(path, 0.2 * samples, rate)


def test_a_second_microphone_is_placed_by_its_sound(tmp_path):
    source = talk(np.random.default_rng(0), 150)
    wav(tmp_path / "a.wav", source)
    wav(tmp_path / "b.wav", 0.1 * source[round(4.2 * 8000) :])
    streams = (
        stream("a.wav", modality=Modality.AUDIO, start_s=1.0),
        stream("b.wav", modality=Modality.AUDIO, role=Role.ROOM),
    )
    clues = [clues_of(tmp_path / s.path, s) for s in streams]
    place = placed(*zip(streams, clues, strict=True)).found[streams[1].key]
    assert place.method == "sound"
    assert abs(place.offset_s - 5.2) < place.uncertainty_s < 0.05


def test_silence_and_another_room_leave_a_microphone_where_it_is(tmp_path):
    rng = np.random.default_rng(2)
    for name, samples in (("a.wav", talk(rng, 120)), ("b.wav", talk(rng, 120)), ("c.wav", np.zeros(120 * 8000))):
        wav(tmp_path / name, samples)
    one, other, silent = (
        stream(f"{name}.wav", modality=Modality.AUDIO, role=role, start_s=start)
        for name, role, start in (("a", Role.PATIENT, 0.0), ("b", Role.ROOM, None), ("c", Role.CLINICIAN, None))
    )
    places = placed(*((s, clues_of(tmp_path / s.path, s)) for s in (one, other, silent)))
    assert not places.found
    assert set(places.reasons) == {other.key, silent.key}
    assert places.reasons[other.key] is Reason.PLACE_UNCLEAR


def test_loudness_lies_where_the_sound_does(tmp_path):
    samples = np.zeros(8000 * 3)
    samples[8000 : 2 * 8000] = np.random.default_rng(0).normal(size=8000)
    wav(tmp_path / "a.wav", samples)
    trace = loudness(tmp_path / "a.wav", start_s=10.0)
    times = trace.start_s + np.arange(len(trace.values)) / trace.rate
    loud = times[trace.values > -20.0]
    assert audio_start_s(tmp_path / "a.wav") == 0.0
    assert (loud.min(), loud.max()) == pytest.approx((11.0, 12.0), abs=0.011)


# ---- marks


def test_marks_place_a_recorder_with_its_drift():
    rng = np.random.default_rng(3)
    marks = np.sort(rng.uniform(0.0, 1800.0, 12))
    other = (marks - 7.25) / (1 + 80e-6) + rng.normal(0.0, 0.01, 12)
    found = marks_offset(marks[:-1], np.sort(other[2:]))
    assert found is not None
    assert abs(found.drift_ppm - 80.0) < 20.0
    assert abs(found.at(900.0) - (7.25 + 900.0 * (1 + 80e-6))) < found.uncertainty_s < 0.1


def test_even_triggers_few_marks_and_other_marks_place_nothing():
    rng = np.random.default_rng(4)
    even = np.arange(0.0, 600.0, 20.0)
    assert marks_offset(even, even - 3.0) is None
    assert marks_offset(even[:2], even[:2]) is None
    strangers = [marks_offset(np.sort(rng.uniform(0, 600, 8)), np.sort(rng.uniform(0, 600, 8))) for _ in range(30)]
    assert strangers.count(None) >= 28


def test_button_presses_meet_the_marks_of_events_csv():
    anchor, other = stream("a.csv", start_s=0.0), stream("b.csv", modality=Modality.TEMPERATURE)
    onsets = (31.0, 95.5, 240.2, 401.7)
    markers = [Marker(t, 0.0, "tone") for t in onsets]
    theirs = Clues(marks_s=tuple(t - 4.0 for t in onsets))
    places = placed((anchor, Clues()), (other, theirs), markers=markers)
    assert places.found[other.key].offset_s == pytest.approx(4.0, abs=0.01)
    assert places.found[other.key].method == "marks"


def test_trigger_columns_codes_and_voltages():
    assert rising(Held([np.array([0.0, 0, 3, 3, 0, 5, 0, np.nan, 1])])).tolist() == [2, 5, 8]
    volts = np.random.default_rng(0).normal(0.0, 0.05, 200)
    volts[50:60] += 5.0
    volts[120:130] += 5.0
    assert rising(Held([volts])).tolist() == [50, 120]
    assert rising(Held([np.full(5, np.nan)])).tolist() == []


def test_marks_of_tables_and_wristbands(tmp_path):
    trigger = np.zeros(100)
    trigger[[30, 70]] = 1.0
    rows = "\n".join(f"{i / 10:.1f},5.0,{int(t)}" for i, t in enumerate(trigger))
    (tmp_path / "a.csv").write_text(f"time_s,eda,Trigger\n{rows}\n")
    assert marks_of(tmp_path / "a.csv").tolist() == [3.0, 7.0]
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("EDA.csv", "1500000002.0\n4.0\n" + "5.0\n" * 40)
        archive.writestr("BVP.csv", "1500000000.0\n64.0\n" + "1.0\n" * 640)
        archive.writestr("tags.csv", "1500000004.50\n1500000008.25\n")
    assert marks_of(tmp_path / "b.zip").tolist() == [4.5, 8.25]
    found = clues_of(tmp_path / "b.zip", stream("b.zip", start_s=100.0))  # 100 s is the first sample of the EDA
    assert found.marks_s == pytest.approx((102.5, 106.25))
    assert found.began_s == pytest.approx(1500000002.0 - 100.0)


@pytest.mark.real
def test_the_button_of_a_real_wristband(shared_data):
    folder = shared_data / "physio_e4" / "1493663240_A01890"
    assert marks_of(folder / "EDA.csv").tolist() == pytest.approx([1493665794.99 - 1493663240.0])


# ---- the session


def test_clues_are_looked_for_only_where_a_clock_has_to_be_placed():
    known, hidden = stream("a.csv", start_s=0.0), stream("b.csv")
    assert needs_clues((known, hidden))
    assert not needs_clues((known,))
    assert not needs_clues((hidden, stream("b.csv", modality=Modality.TEMPERATURE)))
    assert not needs_clues((known, stream("b.csv", start_s=1.0)))


def test_a_recording_an_hour_early_does_not_meet_the_others_and_says_so():
    streams = [stream(f"{k}.csv", modality=m, start_s=s) for k, (m, s) in enumerate(
        ((Modality.ECG, 0.0), (Modality.EDA, 5.0), (Modality.TEMPERATURE, -3600.0)))]  # fmt: skip
    results = [result(s, None, start_s=s.start_s) for s in streams]
    places = place_recorders(results, streams)
    sync = align(moved(results, places.found), streams, places=places).sync
    assert [s.reason for s in sync] == [None, None, Reason.NO_OVERLAP]
    assert [s.source for s in sync] == ["declared"] * 3


def test_clues_survive_the_cache(tmp_path):
    from cueflow.storage.caches.stage_cache import read_results, write_results

    trace = Trace(1.5, 20.0, np.array([0.5, np.nan, 2.0], dtype=np.float32))
    kept = result(stream("a.csv"), Clues(NOON, 1.0, True, None, (trace,), (1.0, 2.5)))
    write_results(tmp_path / "physiology-x.json.z", (kept,))
    (found,) = read_results(tmp_path / "physiology-x.json.z")
    assert (found.clues.began_s, found.clues.marks_s, found.clues.sound) == (NOON, (1.0, 2.5), None)
    assert found.clues.movement[0].values.tolist() == pytest.approx([0.5, np.nan, 2.0], nan_ok=True)


# ---- movement


def test_a_hand_that_one_part_of_the_picture_shows_places_a_wristband():
    rng, true_s = np.random.default_rng(5), 74.3
    seen_s, felt_s = np.arange(0.0, 600.0, 0.05), np.arange(0.0, 500.0, 0.05)
    hand, head = (np.sort(rng.uniform(0.0, 600.0, n)) for n in (25, 120))

    def size(times, onsets):
        return sum(np.exp(-0.5 * ((times - at - 1.0) / 0.4) ** 2) * (1.0 + np.sin(25.0 * times)) for at in onsets)

    noise = 0.1 * rng.gamma(1.0, 0.5, (len(seen_s), 3))
    parts = np.stack([0.1 * size(seen_s, hand), 2.0 * size(seen_s, head), 0.0 * seen_s], axis=1) + noise
    felt = size(felt_s + true_s, hand) + 0.05 * rng.gamma(1.0, 0.5, len(felt_s))
    found = movement_offset((seen_s, parts), (felt_s, felt))
    assert found is not None
    assert abs(found.at(250.0) - (250.0 + true_s)) < min(found.uncertainty_s, 0.1)
    back = found.inverse()
    assert float(back.at(found.at(17.0))) == pytest.approx(17.0)
    assert movement_offset((seen_s, parts[:, 1:]), (felt_s, felt)) is None


# ---- steps of a clock


@pytest.mark.parametrize("by_s", [0.4, -7.5])
def test_a_clock_that_jumps_is_found_and_said(by_s):
    rng = np.random.default_rng(6)
    beats = np.cumsum(0.85 + rng.normal(0.0, 0.05, 2400))
    clock, jumped_s = Clock(3.0, 60.0), 900.0
    local = clock.local(beats)
    local = np.sort(np.where(local >= jumped_s, local - by_s, local) + rng.normal(0.0, 0.005, len(local)))
    local = local[(local < jumped_s) | (local > jumped_s - min(by_s, 0.0))]
    one, other = stream("a.csv", modality=Modality.ECG, start_s=0.0), stream("b.csv", modality=Modality.PPG)
    results = [result(one, None), result(other, None)]
    heart = [tuple(Event("beat", "", t, t) for t in times.tolist()) for times in (beats, local)]
    results = [
        replace(r, findings=replace(r.findings, end_s=2000.0, events=events))
        for r, events in zip(results, heart, strict=True)
    ]
    places = place_recorders(results, (one, other))
    place = places.found[other.key]
    ((at_s, moved_s, within_s),) = place.jumps
    assert abs(at_s - jumped_s) <= within_s < 10.0
    assert moved_s == pytest.approx(by_s, abs=0.02)
    assert abs(place.drift_ppm - 60.0) < 10.0
    for local_s, true_s in ((400.0, 400.0), (1500.0, 1500.0 + by_s)):
        assert float(place.at(local_s)) - 0.3 == pytest.approx(float(clock.session(true_s)), abs=0.02)
    sync = align(moved(results, places.found), (one, other), places=places).sync[1]
    assert sync.jumps[0][1] == pytest.approx(by_s, abs=0.02)


def test_a_clock_shows_what_its_place_says():
    place = Offset(3.0, 50.0, 0.01, 9, "marks", (Jump(100.0, 2.0), Jump(200.0, -1.0)))
    for local_s in (0.0, 99.0, 150.0, 250.0):
        assert place.shown(float(place.at(local_s))) == pytest.approx(local_s)
    assert place.shown(104.0) == 100.0  # nobody recorded the two seconds that it jumped over
    back = place.inverse()
    for local_s in (0.0, 99.0, 150.0, 199.9 - 1.0, 200.0, 250.0):
        assert float(back.at(float(place.at(local_s)))) == pytest.approx(local_s)


# ---- marks


def pressed(seed, n=12):
    return np.sort(np.random.default_rng(seed).uniform(20.0, 1780.0, n))


def test_marks_find_a_jump_between_them():
    ours = pressed(1)
    cut_s = float(ours[5] + ours[6]) / 2
    local = np.where(ours < cut_s, ours - 4.0, ours - 4.0 - 2.5)
    found = marks_offset(ours, local, extents_s=((0.0, 1790.0), None))
    assert found is not None
    ((at_s, by_s, _),) = found.jumps
    assert local[5] < at_s < local[6]
    assert by_s == pytest.approx(2.5, abs=0.01)
    np.testing.assert_allclose(found.at(local), ours, atol=0.01)


def test_two_marks_beside_a_jump_show_it_and_one_places_nothing():
    ours = pressed(2)
    whole = marks_offset(ours, ours - 4.0)
    assert whole is not None
    assert not whole.jumps
    assert marks_offset(ours, np.r_[ours[:-1] - 4.0, ours[-1:] - 6.5]) is None
    for local in (np.r_[ours[:-2] - 4.0, ours[-2:] - 6.5], np.r_[ours[:2] - 4.0, ours[2:] - 6.5]):
        found = marks_offset(ours, local)
        assert found is not None
        assert found.jumps[0][1] == pytest.approx(2.5, abs=0.01)
        np.testing.assert_allclose(found.at(local), ours, atol=0.01)
    assert marks_offset(ours, np.r_[ours[:-2] - 4.0, ours[-2] - 6.5, ours[-1] - 7.5]) is None  # not as far apart
    assert marks_offset(ours, ours[:-2] - 4.0) is not None  # these were not pressed
    assert marks_offset(ours[:-1], np.r_[ours - 4.0, 1795.0]) is not None  # and this one only on one of them


def test_marks_place_nothing_where_a_jump_may_hide():
    ours = pressed(3, 20)
    there_and_back = ours - 4.0 - 2.5 * ((ours > ours[8]) & (ours < ours[12]))
    assert marks_offset(ours, there_and_back) is None
    whole = ((0.0, 1790.0), (0.0, 1800.0))
    assert marks_offset(ours, ours - 4.0, extents_s=whole) is not None
    early, late = ours[ours < 1100.0], ours[ours > 700.0]
    assert marks_offset(early, early - 4.0, extents_s=whole) is None
    assert marks_offset(late, late - 4.0, extents_s=whole) is None
    assert marks_offset(late, late - 4.0, extents_s=((-9000.0, 9000.0), (650.0, 1800.0))) is not None


def test_a_step_too_small_to_part_marks_is_found_in_their_line():
    ours = pressed(4, 16)
    late = np.random.default_rng(4).normal(0.0, 0.005, 16)
    found = marks_offset(ours, ours - 4.0 - 0.2 * (ours > ours[8]) + late)
    assert found is not None
    ((at_s, by_s, _),) = found.jumps
    assert ours[8] - 5.0 < at_s < ours[9] - 4.0
    assert by_s == pytest.approx(0.2, abs=0.02)
    straight = marks_offset(ours, ours / (1 + 80e-6) - 4.0 + late)
    assert straight is not None
    assert not straight.jumps
    assert marks_offset(ours, ours - 4.0 - 0.2 * (ours == ours[-1]) + late) is None


# ---- strokes


@pytest.fixture(scope="module")
def gestures():
    """Path of a hand (n,) in m, two hundred times a second, and what a wristband feels of it 7.317 s later."""
    rng = np.random.default_rng(4)
    moved = np.zeros(400 * 200)
    for at in rng.uniform(2.0, 395.0, 60):
        phase = np.linspace(0.0, 1.0, int(rng.uniform(0.3, 0.9) * 200))
        first, path = int(at * 200), rng.normal(0.0, 0.2) * (10 * phase**3 - 15 * phase**4 + 6 * phase**5)
        moved[first : first + len(path)] += path
        moved[first + len(path) :] += path[-1]
    pulled = np.gradient(np.gradient(moved, 1 / 200), 1 / 200) / 9.81
    local = np.arange(0.0, 390.0, 1 / 32)
    felt = shaking(Signal(np.interp(local + 7.317, np.arange(len(moved)) / 200, pulled), local, 32.0, "g"))
    return moved, (times_of(felt), felt.values.astype(np.float64))


FRAMES_S = np.arange(0.0, 399.0, 1 / 30)


def changes(moved):
    """How much the picture changes between frames."""
    return np.abs(np.diff(np.interp(FRAMES_S, np.arange(len(moved)) / 200, moved))) * 30


def in_picture(change):
    seen = evenly((FRAMES_S[1:] + FRAMES_S[:-1]) / 2, change)
    return times_of(seen), seen.values.astype(np.float64)


def largest_error(found):
    at = np.linspace(0, 380, 20)
    return np.abs(found.at(at) - at - 7.317).max()


def test_a_hand_is_placed_by_its_strokes(gestures):
    moved, felt = gestures
    found = movement_offset(in_picture(changes(moved)), felt)
    assert found is not None
    assert largest_error(found) < 0.01


def test_a_hand_that_moves_through_the_picture_is_followed(gestures):
    moved, felt = gestures
    rng = np.random.default_rng(5)
    change, part = changes(moved), np.repeat(rng.integers(0, 3, 40), 1200)[: len(FRAMES_S) - 1]
    seen = [in_picture(np.where(part == k, change, 0.0) + rng.gamma(2.0, 0.005, len(change))) for k in range(4)]
    picture = seen[0][0], np.stack([values for _, values in seen], axis=1)
    found = movement_offset(picture, felt, within_s=15.0)
    alone = movement_offset((picture[0], picture[1][:, :1]), felt, within_s=15.0)
    assert found is not None
    assert largest_error(found) < min(0.01, found.uncertainty_s)
    assert alone is not None
    assert alone.n < found.n  # blocks in which the hand was there
