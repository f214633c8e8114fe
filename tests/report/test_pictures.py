"""Pictures in a page: in order of time, linked to the lanes, and films only while there is room."""

from __future__ import annotations

from cueflow.tasks.report.pictures import MOST_ALL, MOST_FILM, Found, shown_pictures
from cueflow.tasks.report.session import session_page


def found(label, start, score, size=1000):
    return Found(label, start, start + 2.5, score, b"picture", b"f" * size)


def test_figures_stand_in_order_of_time():
    one, two = shown_pictures([found("nod", 70.0, 0.9), found("shake", 3.0, 0.8)])
    assert (one.label, one.score, one.span) == ("shake", "0.80", "3 5.5")
    assert two.when.startswith("1:10")
    assert two.film.startswith("data:video/mp4;base64,")


def test_a_film_that_is_too_large_leaves_its_picture_and_the_surest_have_the_room():
    large = [found(str(k), float(k), k / 10, MOST_FILM) for k in range(9)]
    shown = shown_pictures([*large, found("long", 20.0, 1.0, MOST_FILM + 1)])
    assert all(s.picture for s in shown)
    kept = [s.label for s in shown if s.film]
    assert kept == [str(k) for k in range(9 - MOST_ALL // MOST_FILM, 9)]


def test_a_page_has_pictures_only_where_they_are_given(rows):
    parts = rows.session_parts(60) | {"session": rows.session_row(duration_s=60.0)}
    assert "In pictures" not in session_page(**parts)
    page = session_page(**parts, pictures=[found("<b>nod</b>", 1.0, 0.5), found("big", 9.0, 0.5, MOST_FILM + 1)])
    assert "<b>nod</b>" not in page
    assert page.count("<video ") == 1
    assert page.count('<img src="data:image/webp') == 2
    assert 'data-span="1 3.5"' in page
    assert "media-src data:" in page


def test_people_have_no_score_and_their_film_comes_first():
    people = Found("", 0.0, 9.0, None, b"picture", b"f" * MOST_FILM)
    shown = shown_pictures([*(found(str(k), 10.0 + k, 1.0, MOST_FILM) for k in range(9)), people])
    assert (shown[0].label, shown[0].score, bool(shown[0].film)) == ("", "", True)
