"""Speakers: voice prints against the maker's network, clusters, roles, and talk within and between recordings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cueflow.schemas.biomarkers.voice_turns import VOICE_TURNS
from cueflow.schemas.config import AudioConfig
from cueflow.schemas.reasons import Reason, Status
from cueflow.schemas.results import Event, Heard, SpeakerRole, StreamResult
from cueflow.schemas.session import Role
from cueflow.tasks.audio.analyse import Setting, analyse_audio
from cueflow.tasks.audio.between import between_recordings, heard_on
from cueflow.tasks.audio.talk.embedding import WIDTH, PrintCollector, Prints, SpeakerEncoder
from cueflow.tasks.audio.talk.following import following
from cueflow.tasks.audio.talk.people import matched, people_of, renamed
from cueflow.tasks.audio.talk.segmentation import SPAN, LocalTalk, SegmentationCollector
from cueflow.tasks.audio.talk.speakers import Speakers, find_speakers
from cueflow.tasks.audio.talk.vowels import give_vowels
from cueflow.tasks.clock.lines import Jump, Offset
from cueflow.tasks.clock.move import moved

RATE = 16_000


def test_the_network_is_the_makers(voice_models):
    """Against torch's own recurrent layers with the same weights."""
    import torch
    from safetensors.torch import load_file

    state = load_file(voice_models.speakers)
    lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
    lstm.load_state_dict({k.removeprefix("lstm."): v for k, v in state.items() if k.startswith("lstm.")})
    mels = np.random.default_rng(0).random((3, WIDTH, 40)).astype(np.float32) * 0.01
    with torch.no_grad():
        last = lstm(torch.from_numpy(mels))[1][0][-1]
        theirs = torch.relu(last @ state["linear.weight"].T + state["linear.bias"]).numpy()
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert np.abs(SpeakerEncoder(voice_models.speakers)(mels) - theirs).max() < 1e-5


def test_mel_bands_are_librosas(voice_models, make_speech):
    import librosa

    from cueflow.tasks.audio.talk.embedding import _mel_frames

    x = make_speech(2.0)
    theirs = librosa.feature.melspectrogram(y=x, sr=RATE, n_fft=400, hop_length=160, n_mels=40).T
    ours = _mel_frames(np.pad(x, 400), n_frames=200, lead=400)
    assert np.abs(ours - theirs[:200]).max() < 1e-5 * theirs.max()


def test_prints_do_not_depend_on_gain_or_on_the_pieces(voice_models, make_speech):
    x = np.pad(make_speech(6.0), 800)
    encoder = SpeakerEncoder(voice_models.speakers)

    def prints(sound, pieces):
        collector = PrintCollector(encoder)
        for first, last in pieces:
            collector.feed(
                sound[first * 160 : last * 160 + 1600],
                np.ones(last - first, bool),
                np.zeros(last - first, bool),
                lead=800,
            )
        return collector.prints()

    whole = prints(x, [(0, 600)])
    assert len(whole.starts) == (600 - WIDTH) // 25 + 1
    for other in (prints(x, [(0, 170), (170, 333), (333, 600)]), prints(0.05 * x, [(0, 600)])):
        assert np.array_equal(other.starts, whole.starts)
        assert np.abs(other.vectors - whole.vectors).max() < 0.002


def made_prints(groups, noise=0.35, seed=0):
    """Windows of people whose prints lie apart, one after the other."""
    rng = np.random.default_rng(seed)
    centres = np.abs(rng.normal(size=(max(groups) + 1, 256))) * (rng.random((max(groups) + 1, 256)) < 0.4)
    vectors = np.stack([centres[g] + noise * np.abs(rng.normal(size=256)) for g in groups])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Prints(np.arange(len(groups)) * WIDTH, vectors.astype(np.float32))


def no_help():
    """A network that hears nobody."""
    return LocalTalk(np.empty(0, np.int64), np.empty((0, SPAN, 3), np.uint8), np.empty((0, SPAN), np.uint8))


@pytest.mark.parametrize("groups", [[0] * 30, [0] * 20 + [1] * 12, ([0] * 3 + [1] * 3 + [2] * 2) * 5])
def test_as_many_speakers_as_there_are(groups):
    prints = made_prints(groups)
    speech = np.ones(len(groups) * WIDTH, dtype=bool)
    speech[:50] = False
    found = find_speakers(prints, speech, no_help())
    assert found.count == len(set(groups))
    assert (found.labels[:50] == -1).all()
    middles = found.labels[prints.starts + WIDTH // 2]
    for g in set(groups):
        assert len(set(middles[np.asarray(groups) == g])) == 1
    seconds = np.bincount(found.labels[found.labels >= 0])
    assert list(seconds) == sorted(seconds, reverse=True), "who speaks most comes first"


def test_a_known_number_is_kept():
    assert find_speakers(made_prints([0] * 30), np.ones(30 * WIDTH, dtype=bool), no_help(), known=2).count == 2
    assert find_speakers(made_prints([0] * 9 + [1] * 9), np.ones(18 * WIDTH, dtype=bool), no_help(), known=1).count == 1


def test_prints_of_held_vowels_make_no_speaker():
    """Without them one person talks; the vowel belongs to whoever's talk has its pitch."""
    prints = made_prints([0] * 12 + [1] * 6)
    tones = np.arange(18 * WIDTH) >= 12 * WIDTH
    speech, f0_hz = np.ones(len(tones), dtype=bool), np.full(len(tones), 120.0, dtype=np.float32)
    assert find_speakers(prints, speech, no_help()).count == 2
    assert find_speakers(prints, speech, no_help(), tones=tones, f0_hz=f0_hz).count == 1
    two = made_prints([0] * 9 + [1] * 9 + [2] * 2)
    tones = np.arange(20 * WIDTH) >= 18 * WIDTH
    speech = np.ones(len(tones), dtype=bool)
    for hertz, whose in ((125.0, 0), (205.0, 9 * WIDTH)):
        f0_hz = np.where(np.arange(len(tones)) < 9 * WIDTH, 120.0, 210.0).astype(np.float32)
        f0_hz[tones] = hertz
        found = find_speakers(two, speech, no_help(), tones=tones, f0_hz=f0_hz)
        assert found.count == 2
        assert (found.labels[tones] == found.labels[whose]).all()


def test_a_held_vowel_is_one_persons_from_its_first_sound_to_its_last():
    n = 400
    f0_hz = np.full(n, np.nan, dtype=np.float32)
    f0_hz[:100], f0_hz[110:200], f0_hz[220:330] = 120.0, 210.0, 200.0
    tones = (np.arange(n) >= 220) & (np.arange(n) < 330)
    speech = np.isfinite(f0_hz) | ((np.arange(n) >= 212) & (np.arange(n) < 336))
    labels = np.where(speech, 0, -1)
    labels[110:200] = 1
    labels[212:270] = 0  # as the prints around it said
    labels[270:336] = 1
    floor = np.zeros((2, n), dtype=bool)
    floor[0, :105], floor[1, 108:205], floor[0, 206:280], floor[1, 280:345] = True, True, True, True
    own, held = give_vowels(labels, floor, speech, tones=tones, f0_hz=f0_hz)
    assert (own[212:336] == 1).all()
    assert list(np.flatnonzero(held[1, 200:400])[[0, -1]] + 200) == [212, 335]
    assert not held[0, 212:345].any()
    assert (own[:212] == labels[:212]).all()
    f0_hz[:200] = np.nan
    assert (give_vowels(labels, floor, speech, tones=tones, f0_hz=f0_hz)[0][212:336] == 1).all(), (
        "most of it was theirs"
    )


def test_without_windows_there_is_one_speaker_or_none():
    nothing = Prints(np.empty(0, dtype=np.int64), np.empty((0, 256), dtype=np.float32))
    assert find_speakers(nothing, np.ones(100, dtype=bool), no_help()).count == 1
    silent = find_speakers(nothing, np.zeros(100, dtype=bool), no_help())
    assert (silent.count, silent.labels.max()) == (0, -1)


def test_ends_of_turns_and_overlap_are_the_networks():
    """Prints of 1.6 s say who A and B are; a second of B between, and one of both, only the network hears sharply."""
    n = 24 * WIDTH
    truth = np.zeros((2, n), dtype=bool)
    truth[0, :1920], truth[1, 1920:] = True, True
    truth[:, 1500:1600] = [[False], [True]]
    truth[:, 3000:3100] = True
    centres = made_prints([0, 1], noise=0.0).vectors
    at = np.arange(0, n - WIDTH + 1, 25)
    mixed = np.stack([truth[:, start : start + WIDTH].mean(axis=1) @ centres for start in at])
    noise = 0.02 * np.abs(np.random.default_rng(1).normal(size=mixed.shape))
    prints = Prints(at, ((mixed + noise) / np.linalg.norm(mixed + noise, axis=1, keepdims=True)).astype(np.float32))
    places = np.stack([truth[0] & ~truth[1], truth[1] & ~truth[0], np.zeros(n, dtype=bool)], axis=1)
    starts = np.arange(0, n, 500)
    alone, both = np.zeros((len(starts), SPAN, 3), np.uint8), np.zeros((len(starts), SPAN), np.uint8)
    for i, start in enumerate(starts):
        part = places[start : start + SPAN, [[0, 1, 2], [1, 0, 2], [2, 1, 0]][i % 3]]  # places are the window's own
        alone[i, : len(part)] = 250 * part
        both[i, : len(part)] = 250 * (truth[0] & truth[1])[start : start + SPAN]
    found = find_speakers(prints, np.ones(n, dtype=bool), LocalTalk(starts, alone, both))
    mine = found.floor if found.labels[100] == 0 else found.floor[::-1]
    assert found.count == 2
    assert (mine != truth).mean() < 0.003
    assert mine[:, 3000:3100].all()
    assert len(set(found.labels[1500:1600])) == 1
    assert found.labels[1550] != found.labels[1400]
    assert found.both[3050] == pytest.approx(250 / 255, abs=1e-3)


def test_the_network_hears_two_people_at_once(voice_models, make_speech):
    """Nobody, one and two voices; and windows do not depend on the pieces."""
    one, two = make_speech(4.0, f0_hz=110.0), make_speech(4.0, f0_hz=210.0, seed=1)
    x = np.concatenate([np.zeros(3 * RATE, np.float32), one, one + two])
    wholes = []
    for cuts in ([], [1000, 70_000]):
        collector = SegmentationCollector(voice_models.segmentation)
        for part in np.split(x, cuts):
            collector.feed(part)
        wholes.append(collector.finish())
    first = wholes[0]
    assert list(first.starts) == [0, 500]
    assert np.array_equal(first.alone, wholes[1].alone)
    anybody = first.alone[0].sum(axis=1, dtype=int) + first.both[0]
    assert anybody[:250].mean() < 0.1 * 255
    assert anybody[350:650].mean() > 0.8 * 255


LABELS = np.repeat([0, 1, 0, 1], 500)


def speakers_of(labels):
    return Speakers.apart(labels, 2, 0.5, np.eye(2, 256))


def test_a_persons_own_microphone_hears_the_person_loudest():
    power = np.where(LABELS == 1, 1e-2, 1e-4).astype(np.float32)
    found = people_of(speakers_of(LABELS), power, role=Role.PATIENT, rule="none")
    assert found.owner == 1
    assert found.roles[1] == SpeakerRole("s2", "patient", "own_microphone", pytest.approx(0.99))
    assert found.roles[0].role == ""
    even = people_of(speakers_of(LABELS), np.full(2000, 1e-3, np.float32), role=Role.PATIENT, rule="none")
    assert (even.owner, even.mixed) == (None, True)


def test_a_voice_from_afar_stays_the_others_whatever_its_loudest_syllables_do():
    """It is 12 dB softer, syllables of both vary by 8 dB: single ones of it are louder than soft ones of the owner."""
    syllables = np.repeat(np.random.default_rng(0).normal(0.0, 8.0, len(LABELS) // 12 + 1), 12)[: len(LABELS)]
    power = 10.0 ** ((np.where(LABELS == 1, -20.0, -32.0) + syllables) / 10.0)
    found = people_of(speakers_of(LABELS), power.astype(np.float32), role=Role.CLINICIAN, rule="none")
    assert found.owner == 1
    assert (found.own(LABELS >= 0) != (LABELS == 1)).mean() < 0.05


def test_level_tells_what_prints_mistake():
    """A short answer of the owner between two of the other's sentences, and the other's voice after a sentence."""
    prints = LABELS.copy()
    prints[700:760], prints[1200:1300] = 0, 1
    truth = np.where(LABELS == 1, -20.0, -50.0)
    truth[1200:1300] = -50.0
    found = people_of(speakers_of(prints), (10.0 ** (truth / 10.0)).astype(np.float32), role=Role.PATIENT, rule="none")
    assert (found.own(LABELS >= 0) != (truth == -20.0)).mean() < 0.02


def test_in_a_room_nobody_is_called_the_patient():
    power = np.where(LABELS == 1, 1e-2, 1e-4).astype(np.float32)
    found = people_of(speakers_of(LABELS), power, role=Role.ROOM, rule="none")
    assert (found.owner, found.mixed) == (None, False)
    assert [r.role for r in found.roles] == ["", ""]


@pytest.mark.parametrize(
    ("rule", "roles", "confidence"),
    [
        ("patient_speaks_most", ["patient", "clinician"], 0.75),
        ("clinician_speaks_first", ["clinician", "patient"], 0.5),
    ],
)
def test_rules_for_a_room_say_how_sure_they_are(rule, roles, confidence):
    found = people_of(speakers_of(np.repeat([0, 1], [1500, 500])), np.ones(2000, np.float32), role=Role.ROOM, rule=rule)
    assert [r.role for r in found.roles] == roles
    assert all(r.rule == rule and r.confidence == pytest.approx(confidence) for r in found.roles)


def test_a_voice_print_gives_a_room_its_roles():
    prints = np.eye(2, 256)
    unknown = (SpeakerRole("s1"), SpeakerRole("s2"))
    near = 0.9 * prints[1] + np.sqrt(1 - 0.81) * np.eye(256)[9]
    first, second = matched(prints, unknown, {"patient": near})
    assert first == unknown[0]
    assert (second.role, second.rule, second.confidence) == ("patient", "voice_print", 1.0)
    assert matched(prints, unknown, {"patient": np.eye(256)[9]}) == unknown


def test_who_was_known_by_a_snippet_is_introduced_with_rule_and_confidence(heard_alone):
    """A room in which the second of two voices is the patient's, whose own recording is there."""
    patient, _ = heard_alone
    own = patient.findings.heard.prints[0]
    other = np.roll(own, 1) * np.resize([1.0, -1.0], 256)
    events = tuple(Event("speaker", name, 0.0, 9.0, evidence={"speech_s": 4.0}, speaker=name) for name in ("s1", "s2"))
    room = replace(
        patient.findings, speakers=(SpeakerRole("s1"), SpeakerRole("s2")), events=events,
        heard=replace(patient.findings.heard, prints=np.stack([other, own])),
    )  # fmt: skip
    *_, named = between_recordings([patient, stream(room, "room")])
    first, second = named.findings.events
    assert first == events[0]
    assert (second.score, second.evidence) == (
        1.0,
        {"speech_s": 4.0, "role_rule": "voice_print", "role_confidence": 1.0},
    )


class TestFollowing:
    def test_a_person_who_follows(self):
        rng = np.random.default_rng(1)
        other = rng.normal(size=40)
        r, p, n = following(0.8 * other + 0.6 * rng.normal(size=40), other)
        assert r == pytest.approx(0.8, abs=0.15)
        assert p < 0.01
        assert n == 40

    def test_chance_is_not_following(self):
        """Under no relation p is uniform: over 200 pairs it is below .05 in 2 to 9 %."""
        rng = np.random.default_rng(2)
        low = [following(rng.normal(size=20), rng.normal(size=20))[1] <= 0.05 for _ in range(200)]
        assert 0.02 <= np.mean(low) <= 0.09

    def test_too_little_has_no_value(self):
        assert np.isnan(following(np.asarray([1.0, 2.0, np.nan]), np.asarray([1.0, 2.0, 3.0]))[0])
        assert np.isnan(following(np.ones(9), np.arange(9.0))[0])


def stream(findings, role, channel=""):
    return StreamResult(
        modality="audio", role=role, channel=channel, status=findings.status, reason=findings.reason, message="",
        findings=findings, method_version="", model_sha256="", input_sha256="", seconds=0.0,
    )  # fmt: skip


TURNS = {"clinician": ((1, 4), (11, 14), (20.75, 24)), "patient": ((4.5, 10.5), (14.25, 21), (25, 29))}


@pytest.fixture(scope="module")
def heard_alone(make_speech, voice_models):
    """Two people, a microphone each, which also hears the other 30 dB lower."""
    rng = np.random.default_rng(5)
    own = {role: rng.normal(0, 1e-4, 30 * RATE).astype(np.float32) for role in TURNS}
    for k, (role, spans) in enumerate(TURNS.items()):
        for start, end in spans:
            x = make_speech(end - start, f0_hz=(110.0, 205.0)[k], seed=k)
            own[role][int(start * RATE) : int(start * RATE) + len(x)] += x
    heard = {"patient": own["patient"] + 0.03 * own["clinician"], "clinician": own["clinician"] + 0.03 * own["patient"]}
    return tuple(
        stream(
            analyse_audio([x], Setting(start_s=50.0, role=Role(role)), models=voice_models, config=AudioConfig()), role
        )
        for role, x in heard.items()
    )


@pytest.fixture(scope="module")
def two(heard_alone):
    return between_recordings(heard_alone)


def test_turns_are_the_same_where_the_clinician_s_clock_shows_another_time(heard_alone, two):
    late = Offset(-37.25, 0.0, 0.0, 0)
    (other,) = moved(heard_alone[1:], {("audio", "clinician", ""): late})
    heard = replace(other.findings.heard, start_s=other.findings.heard.start_s - 37.25)
    other = replace(other, findings=replace(other.findings, heard=heard))
    again = between_recordings((heard_alone[0], other), place=Offset(37.25, 0.0, 0.01, 9, "sound"))
    for one, same, by_s in zip(two, again, (0.0, 37.25), strict=True):
        values = {m.biomarker: m.value for m in one.findings.measures if not m.speaker}
        found = {m.biomarker: m.value for m in same.findings.measures if not m.speaker}
        assert found == pytest.approx(values, nan_ok=True)
        assert values["turn_count"] >= 2
        starts = [(e.kind, e.start_s) for e in one.findings.events]
        assert [e.kind for e in same.findings.events] == [kind for kind, _ in starts]
        np.testing.assert_allclose([e.start_s + by_s for e in same.findings.events], [s for _, s in starts], atol=0.011)


def test_what_was_heard_on_a_clock_that_drifts_and_jumps():
    n = 60_000
    one = Heard(5.0, *(np.zeros(n, dtype=bool) for _ in range(2)), np.ones(n, dtype=bool),
                np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.float32), np.zeros((0, 256)))  # fmt: skip
    one.speech[[0, 10_000, 30_000, 59_999]] = True
    place = Offset(2.0, 200.0, 0.0, 0, "sound", jumps=(Jump(205.0, 3.0),))
    there = heard_on(one, place)
    at = there.start_s + (np.flatnonzero(there.speech) + 0.5) * 0.01
    np.testing.assert_allclose(
        np.unique(at.round(1)), place.at(5.005 + 0.01 * np.array([0, 10_000, 30_000, 59_999])).round(1)
    )
    left_out = there.start_s + np.flatnonzero(~there.used) * 0.01
    assert place.at(204.99) - 0.05 < left_out.min() < left_out.max() < place.at(205.01) + 0.05
    back = heard_on(there, place, back=True)
    again = back.start_s + (np.flatnonzero(back.speech) + 0.5) * 0.01
    np.testing.assert_allclose(np.unique(again.round(1)), [5.0, 105.0, 305.0, 605.0], atol=0.06)


def test_where_a_recording_mixes_people_turns_between_two_are_doubtful(heard_alone):
    patient, clinician = heard_alone
    nobody = tuple(replace(one, role="", rule="", confidence=None) for one in clinician.findings.speakers)
    assert nobody
    mixed = replace(clinician, findings=replace(clinician.findings, speakers=nobody))
    for result in between_recordings((patient, mixed)):
        v = {m.biomarker: m for m in result.findings.measures if not m.speaker}
        count, followed = v["turn_count"], v["turn_entrain_f0_r"]
        assert (count.value is None, count.status, count.reason) == (
            False, Status.LOW_QUALITY, Reason.SEVERAL_SPEAKERS
        )  # fmt: skip
        assert (followed.value, followed.status, followed.reason) == (None, Status.TOO_SHORT, Reason.FEW_EVIDENCE)


@pytest.mark.parametrize("kind", ["a lapel in a room", "the echo of a call"])
def test_crosstalk_is_nobodys_second_voice(make_speech, voice_models, kind):
    """The other's voice 14 dB softer with the room's answer, or 20 dB softer a sixth of a second later."""
    from scipy.signal import fftconvolve

    rng = np.random.default_rng(5)
    own = {role: np.zeros(30 * RATE) for role in TURNS}
    for k, (role, spans) in enumerate(TURNS.items()):
        for start, end in spans:
            x = make_speech(end - start, f0_hz=(110.0, 205.0)[k], seed=k)
            own[role][int(start * RATE) : int(start * RATE) + len(x)] += x
    room = rng.normal(0, 1, RATE // 4) * np.exp(-6.9 * np.arange(RATE // 4) / (RATE // 4))
    room *= 0.15 / np.sqrt(np.square(room).sum())
    room[0] += 0.15
    echo = np.zeros(RATE // 4)
    echo[RATE // 6] = 0.1
    path = room if "room" in kind else echo
    results = []
    for role, other in (("patient", "clinician"), ("clinician", "patient")):
        x = own[role] + fftconvolve(own[other], path)[: 30 * RATE] + rng.normal(0, 1e-4, 30 * RATE)
        setting = Setting(role=Role(role))
        found = analyse_audio([x.astype(np.float32)], setting, models=voice_models, config=AudioConfig())
        v = {m.biomarker: m for m in found.measures if not m.speaker}
        assert v["speech_time_total"].value == pytest.approx(sum(b - a for a, b in TURNS[role]), rel=0.12), role
        assert v["voice_f0_p50"].value == pytest.approx((205.0, 110.0)[role == "clinician"], rel=0.05)
        results.append(stream(found, role))
    together = between_recordings(results)
    patient, clinician = ({m.biomarker: m for m in r.findings.measures if not m.speaker} for r in together)
    assert patient["turn_overlap_share"].value == pytest.approx(0.25 / 30, abs=0.015)
    assert (patient["turn_count"].value, clinician["turn_count"].value) == (3, 3)
    latencies = [
        [e.evidence["latency_s"] for e in r.findings.events if e.kind == "answer" and not e.speaker] for r in together
    ]
    away = np.abs(np.concatenate(latencies) - [0.5, 0.25, 1.0, 0.5, -0.25])
    assert np.median(away) < 0.05
    assert away.max() < 0.4, "near an overlap of two synthetic voices, which sound alike"


def test_without_one_clock_nobody_answers_the_other_recording(two, make_speech, voice_models):
    setting = Setting(start_s=0.0, role=Role.PATIENT)
    alone = analyse_audio([make_speech(8.0, f0_hz=110.0, seed=0)], setting, models=voice_models, config=AudioConfig())
    patient, clinician = between_recordings([stream(alone, Role.PATIENT), two[1]], place=None)
    turns = [m for m in patient.findings.measures if m.biomarker in {b.name for b in VOICE_TURNS}]
    assert {(m.value, m.reason) for m in turns} == {(None, Reason.UNSYNCHRONISED)}
    assert not [e for e in patient.findings.events if e.kind in {"answer", "interruption", "overlap"}]
    names = {one.speaker: f"clinician_{one.speaker}" for one in two[1].findings.speakers}
    assert clinician.findings == renamed(two[1].findings, names)
    said = {(e.speaker, e.label) for e in clinician.findings.events if e.kind == "speaker"}
    assert said == {(name, name) for name in names.values()}, "those of two microphones are told apart"


def test_turns_between_two_recordings(two):
    patient = {m.biomarker: m for m in two[0].findings.measures if not m.speaker}
    latency = np.asarray([0.5, 0.25, 1.0])
    assert patient["turn_latency_mean"].value == pytest.approx(latency.mean(), abs=0.05)
    assert patient["turn_latency_p50"].value == pytest.approx(0.5, abs=0.05)
    assert patient["turn_count"].value == 3
    assert patient["turn_overlap_share"].value == pytest.approx(0.25 / 30, abs=0.003)
    assert patient["turn_floor_share"].value == pytest.approx(16.75 / 26, abs=0.02)
    clinician = {m.biomarker: m for m in two[1].findings.measures if not m.speaker}
    assert clinician["turn_floor_share"].value == pytest.approx(1 - patient["turn_floor_share"].value)
    overlap = [e for e in two[0].findings.events if e.kind == "overlap"]
    assert [(e.start_s, e.end_s) for e in overlap] == [(pytest.approx(70.75, abs=0.05), pytest.approx(71.0, abs=0.05))]
    answers = [e for e in two[1].findings.events if e.kind == "answer"]
    assert answers[-1].evidence["latency_s"] == pytest.approx(-0.25, abs=0.05)


def test_alone_there_is_no_turn_taking(make_speech, voice_models):
    x = make_speech(8.0)
    found = analyse_audio([x], Setting(role=Role.ROOM), models=voice_models, config=AudioConfig())
    turns = [m for m in found.measures if m.biomarker.startswith("turn_")]
    assert turns
    assert all((m.status, m.reason, m.value) == (Status.TOO_SHORT, Reason.ONE_SPEAKER, None) for m in turns)
    assert found.speakers == ()
