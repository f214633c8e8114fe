"""People drawn into a part of a recording: what is drawn lies on the person, and no face can be recognised."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from cueflow.flows.showing.people import PeoplePictures
from cueflow.flows.showing.recorded import start_of
from cueflow.schemas.errors import ConfigError, StreamError
from cueflow.schemas.session import Modality, Role, Stream
from cueflow.tasks.simulate.portrait import load_picture
from cueflow.tasks.video.drawn import FacesAs, Seen, drawn, hidden, look
from cueflow.tasks.video.face.finder import FaceSearch
from cueflow.tasks.video.follow import VideoModels

rng = np.random.default_rng(0)


def noise():
    return rng.integers(0, 255, (90, 120, 3), dtype=np.uint8)


def colours(picture):
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def test_a_face_and_what_is_around_it_are_coarse_and_the_rest_is_untouched():
    picture = noise()
    changed = hidden(picture, [(40.0, 30.0, 60.0, 50.0)])
    around = changed[24:56, 34:66]  # a third of the face on each side
    assert colours(around) <= 36
    assert np.array_equal(changed[:, 70:], picture[:, 70:])
    assert np.array_equal(changed[60:], picture[60:])


def test_a_face_at_the_edge_and_one_outside_break_nothing():
    picture = noise()
    assert hidden(picture, [(-30.0, -30.0, 20.0, 20.0), (500.0, 500.0, 520.0, 520.0)]).shape == picture.shape


def test_where_no_face_is_known_nothing_is_shown():
    assert colours(hidden(noise(), [])) <= 36
    seen = [Seen(t, noise(), {}, {}, [], boxes) for t, boxes in ((0.0, [(10, 10, 30, 30)]), (0.4, []), (2.0, []))]
    first, missed, lost = (picture for _, picture in drawn(seen, FacesAs.DRAWN))
    assert colours(missed) > 1000  # the face of .4 s before is hidden where it was
    assert colours(missed[5:35, 5:35]) <= 36
    assert colours(lost) <= 36
    assert colours(first) > 1000
    assert np.array_equal(list(drawn(seen, FacesAs.SHOWN))[2][1], seen[2].picture)


def test_landmarks_lie_on_the_face_that_nobody_recognises(people_models, write):
    portrait = load_picture()[:, :, ::-1]
    path = write([np.ascontiguousarray(portrait)] * 12, rate=12)
    models = VideoModels(**people_models, backbone=path)
    seen = look(path, models, span=(0.2, 0.8), start_s=0.0, most=2)
    assert 6 <= len(seen) <= 8
    assert all(0.2 <= now.time_s <= 0.8 for now in seen)
    face = seen[-1].faces[0]
    assert face.points[[33, 133, 263, 362], 0].mean() == pytest.approx(266, abs=6)  # between the portrait's eyes
    shown = [picture for _, picture in drawn(seen, FacesAs.BLURRED)]
    with FaceSearch(people_models["landmarker"]) as search:
        assert search.anywhere(seen[-1].picture, tries=None) is not None
        assert search.anywhere(shown[-1], tries=None) is None
    with pytest.raises(StreamError, match="no frame"):
        look(path, models, span=(5.0, 6.0), start_s=0.0, most=2)


def test_a_session_gets_a_picture_and_a_film(people_models, write, tmp_path):
    path = write([np.ascontiguousarray(load_picture()[:, :, ::-1])] * 12, rate=12)
    manifest = f"session_id,subject_id,modality,path,start_s\nS1,P1,video,{path.name},10\nS2,P1,audio,a.wav,0\n"
    (tmp_path / "manifest.csv").write_text(manifest)
    row = {"dataset": "d", "session_id": "S1"}
    shows = PeoplePictures(tmp_path, (10.2, 10.8), faces=FacesAs.DRAWN, name="d")
    (found,) = shows.of(row, pl.DataFrame())
    assert (found.label, found.score, found.start_s) == ("", None, 10.2)
    assert found.picture[8:12] == b"WEBP"
    assert found.film[4:8] == b"ftyp"
    assert shows.of(row | {"dataset": "other"}, pl.DataFrame()) == ()
    with pytest.raises(ConfigError, match="no video"):
        shows.of(row | {"session_id": "S2"}, pl.DataFrame())
    early = (0.0, 5.0)  # before this recording begins
    with pytest.raises(StreamError, match="no frame"):
        PeoplePictures(tmp_path, early, faces=FacesAs.DRAWN, name="d").of(row, pl.DataFrame())
    assert PeoplePictures(tmp_path, early, faces=FacesAs.DRAWN, name="d", strict=False).of(row, None) == ()


def test_a_recording_is_shown_where_the_run_has_placed_it():
    stream = Stream(Modality.VIDEO, "v.mp4", role=Role.PATIENT)
    place = {"modality": "video", "role": "patient", "channel": None, "offset_s": 12.5, "drift_ppm": 100.0}
    row = {
        "sync": json.dumps([{**place, "role": "clinician", "offset_s": 3.0}, place | {"jumps": [[600.0, 2.0, 1.0]]}])
    }
    assert start_of(stream, row, at_s=112.5) == pytest.approx(12.5 + 100 * 1e-4)
    assert start_of(stream, row, at_s=1014.5) == pytest.approx(14.5 + 1000 * 1e-4)
    assert start_of(replace(stream, start_s=7.0), {"sync": None}, at_s=5.0) == 7.0


@pytest.mark.parametrize("span", [(5.0, 5.0), (9.0, 4.0), (0.0, 21.0)])
def test_a_span_is_short_and_runs_forward(tmp_path, span):
    with pytest.raises(ConfigError, match="20 s at most"):
        PeoplePictures(tmp_path, span, faces=FacesAs.DRAWN)
