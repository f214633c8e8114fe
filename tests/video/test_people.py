"""Who is who: the roster, roles, joins of tracks, and presence, without any model."""

from __future__ import annotations

import numpy as np
import pytest

from cueflow.schemas.config import PersonRule
from cueflow.schemas.results import Window
from cueflow.tasks.video.face.still import is_picture
from cueflow.tasks.video.face.track import COLUMNS, FaceTrack
from cueflow.tasks.video.people.cast import Sightings
from cueflow.tasks.video.people.presence import presence_rows
from cueflow.tasks.video.people.roles import appearances, choose
from cueflow.tasks.video.people.roster import NEAR, NEW, SAME, Person, Roster, Sight, same_persons
from cueflow.tasks.video.together.measures import presence_measures


def numbers(*where):
    """A point in the space of faces: `where` gives its first coordinates."""
    return np.array([*where, *np.zeros(128 - len(where))])


def sight(who, x=100.0, side=50.0):
    return Sight(np.array([x, 100.0]), side, None if who is None else who)


ANNA, BERT = numbers(0.0), numbers(0.0, 0.7)


def test_two_people_keep_their_names_when_they_change_places():
    roster = Roster()
    assert roster.name(0.0, [sight(ANNA), sight(BERT, 400)]) == [0, 1]
    assert roster.name(0.5, [sight(BERT, 100), sight(ANNA, 400)]) == [1, 0]


def test_somebody_who_comes_back_is_recognised():
    roster = Roster()
    roster.name(0.0, [sight(ANNA)])
    roster.name(1.0, [sight(BERT, 300)])
    assert roster.name(60.0, [sight(ANNA, 500)]) == [0]


def test_a_face_between_known_and_new_is_named_only_in_its_place():
    off = numbers((SAME + NEW) / 2)
    roster = Roster()
    roster.name(0.0, [sight(ANNA)])
    assert roster.name(0.5, [sight(off, x=120)]) == [0]
    elsewhere = Roster()
    elsewhere.name(0.0, [sight(ANNA)])
    assert elsewhere.name(0.5, [sight(off, x=500)]) == [None]
    after_cut = Roster()
    after_cut.name(0.0, [sight(ANNA)])
    assert after_cut.name(0.5, [sight(off, x=100)], cut=True) == [None]


def test_another_face_in_the_same_place_is_somebody_else():
    roster = Roster()
    roster.name(0.0, [sight(ANNA)])
    assert roster.name(0.5, [sight(numbers(NEAR + 0.05))]) == [1]


def test_two_faces_alike_are_two_people_and_afterwards_nobody_guesses():
    roster = Roster()
    twin = numbers(0.1)
    assert roster.name(0.0, [sight(ANNA), sight(twin, 400)]) == [0, 1]
    assert roster.name(0.5, [sight(ANNA), sight(twin, 400)]) == [0, 1]  # in their places they are known
    assert roster.name(30.0, [sight(numbers(0.05), 250)]) == [None]


def test_a_small_face_without_numbers_lives_by_its_place():
    roster = Roster()
    assert roster.name(0.0, [sight(None)]) == [None]
    roster.name(0.5, [sight(ANNA)])
    assert roster.name(1.0, [sight(None)]) == [0]
    assert roster.name(9.0, [sight(None)]) == [None]


def test_one_not_recognised_at_first_is_joined_unless_both_were_there():
    persons = [Person([numbers(x)], np.zeros(2), 1.0, 0.0) for x in (0.0, 0.3, 1.0)]
    assert same_persons(persons, set()) == {0: 0, 1: 0, 2: 2}
    assert same_persons(persons, {(0, 1)}) == {0: 0, 1: 1, 2: 2}


def test_a_face_that_was_followed_from_one_to_the_other_may_be_further_from_itself():
    persons = [Person([numbers(x)], np.zeros(2), 1.0, 0.0) for x in (0.0, 0.44)]
    assert same_persons(persons, set()) == {0: 0, 1: 1}
    assert same_persons(persons, set(), {(0, 1)}) == {0: 0, 1: 0}
    assert same_persons(persons, {(0, 1)}, {(0, 1)}) == {0: 0, 1: 1}


def seen(rows):
    """Sightings of (time, person, x, size)."""
    table = np.array(rows, dtype=float)
    return Sightings(np.unique(table[:, 0]), table[:, 0], table[:, 1].astype(np.int64), table[:, 2], table[:, 3])


LEFT_LONG, RIGHT_LARGE = [(t, 0, 0.2, 0.2) for t in range(20)], [(t, 1, 0.8, 0.5) for t in range(12)]


@pytest.mark.parametrize(
    ("rule", "who"),
    [(PersonRule.MOST_PRESENT, 0), (PersonRule.LARGEST, 1), (PersonRule.LEFT, 0), (PersonRule.RIGHT, 1)],
)
def test_the_rule_says_whom_the_recording_is_about(rule, who):
    persons = [Person([ANNA], np.zeros(2), 1.0, 0.0), Person([BERT], np.zeros(2), 1.0, 0.0)]
    found = appearances(seen(LEFT_LONG + RIGHT_LARGE))
    chosen, by = choose(found, persons, rule=rule)
    assert (chosen.person, by) == (who, str(rule))


def test_a_reference_photo_outranks_the_rule_and_may_show_somebody_else():
    persons = [Person([ANNA], np.zeros(2), 1.0, 0.0), Person([BERT], np.zeros(2), 1.0, 0.0)]
    found = appearances(seen(LEFT_LONG + RIGHT_LARGE))
    assert choose(found, persons, rule=PersonRule.LEFT, reference=numbers(0.05, 0.7))[0].person == 1
    assert choose(found, persons, rule=PersonRule.LEFT, reference=numbers(2.0)) == (None, "reference")


def test_presence_is_counted_in_looks():
    both = seen([*LEFT_LONG, *RIGHT_LARGE, (3, -1, 0.5, 0.1)])
    got = {m.biomarker: m.value for m in presence_measures(both, 1, [Window(0.0, 20.0)])}
    assert got["person_present_share"] == pytest.approx(0.6)
    assert got["people_others_share"] == pytest.approx(1.0)
    assert got["people_count_max"] == 3
    assert got["people_unknown_share"] == pytest.approx(1 / 33)


def test_the_time_line_has_a_span_for_each_stay():
    twice = seen([(t, 0, 0.5, 0.2) for t in (*range(5), *range(30, 34))])
    spans = [(e.label, e.start_s, e.end_s) for e in presence_rows(twice, 0)]
    assert spans == [("self", 0, pytest.approx(5.5, abs=1)), ("self", 30, pytest.approx(34, abs=1))]


def face(seconds, **columns):
    times = np.arange(round(seconds * 30)) / 30
    full = {name: np.zeros(len(times)) for name in COLUMNS} | {"size": np.full(len(times), 0.3)}
    return FaceTrack(times, full | {name: f(times) for name, f in columns.items()})


def test_a_portrait_on_the_wall_is_a_picture_and_a_blinking_face_is_not():
    rng = np.random.default_rng(0)
    noise = {
        "nose_x": lambda t: 0.5 + 0.0003 * rng.normal(size=len(t)),
        "au45": lambda t: 0.1 + 0.01 * rng.normal(size=len(t)),
    }
    assert is_picture(face(30, **noise))
    assert not is_picture(face(10, **noise))  # too short to tell
    blink = {"au45": lambda t: 0.1 + 0.6 * (np.abs(t - 12) < 0.1)}
    assert not is_picture(face(30, **(noise | blink)))
    sway = {"nose_x": lambda t: 0.5 + 0.0009 * np.sin(t)}  # a man who was asked to keep still moves by so much
    assert not is_picture(face(30, **(noise | sway)))
    guessed = {"eye_yaw": lambda t: 3 * rng.normal(size=len(t))}
    assert is_picture(face(30, **(noise | guessed)))
    looks = {"eye_yaw": lambda t: 12.0 * (t % 8 > 5)}
    assert not is_picture(face(30, **(noise | looks)))
