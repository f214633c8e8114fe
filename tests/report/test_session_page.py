"""The page of a session: complete, escaped, self-contained, small."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from cueflow.schemas.biomarkers import BIOMARKERS, SERIES
from cueflow.schemas.reasons import Reason
from cueflow.tasks.report.explanation import explain
from cueflow.tasks.report.lanes import MAX_MARKS, event_lanes
from cueflow.tasks.report.session import session_page
from cueflow.tasks.report.timeline import make_timeline
from cueflow.tasks.report.values import MOST_ROWS

DRAWN = sum(spec.drawn for spec in SERIES.values())

VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Page(HTMLParser):
    """Elements with their attributes, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.wrong, self.text = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"script", "style"}:
            self.text.append(data)

    def all(self, tag, **attrs):
        return [a for t, a in self.elements if t == tag and all(a.get(k.rstrip("_")) == v for k, v in attrs.items())]


@pytest.fixture
def page(rows):
    return Page(session_page(**rows.session_parts()))


def test_every_tag_is_closed_and_ids_are_unique(page):
    assert page.wrong == []
    assert page.open == []
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_the_page_makes_no_request(page):
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert (
        policy
        == "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:"
    )
    assert [a for _, a in page.elements if "src" in a or "srcset" in a] == []
    away = [(t, a["href"]) for t, a in page.elements if "href" in a and not a["href"].startswith(("#", "data:"))]
    assert {tag for tag, _ in away} <= {"a"}  # links may be followed, nothing is loaded


def test_style_and_script_load_nothing(rows):
    text = session_page(**rows.session_parts())
    assert re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(|innerHTML|\beval\b", text) is None


def test_every_value_is_in_the_table_with_its_reason(rows, page):
    parts = rows.session_parts()
    shown = page.all("tr", class_="value")
    assert len(shown) == parts["biomarkers"].height
    text = " ".join(page.text)
    for code in parts["biomarkers"]["reason"].drop_nulls().unique():
        assert Reason(code).sentence in text
    for declared in BIOMARKERS.values():
        assert declared.definition in text


def test_states_have_an_icon_and_a_word(page):
    states = [a for t, a in page.elements if t == "span" and a.get("class", "").startswith("state ")]
    icons = {a["href"] for a in page.all("use")}
    assert len(states) >= len(page.all("tr", class_="value"))
    assert {"#i-ok", "#i-low_quality", "#i-too_short"} <= icons
    assert icons <= {f"#{a['id']}" for a in page.all("symbol")}


def test_headings_tables_and_drawings_have_names(page):
    assert page.all("html", lang="en")
    levels = [int(t[1]) for t, _ in page.elements if re.fullmatch(r"h[1-6]", t)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert all(a.get("scope") in {"row", "col", "rowgroup"} for a in page.all("th"))
    assert all(
        a.get("aria-hidden") == "true" or (a.get("role") == "img" and a.get("aria-label")) for a in page.all("svg")
    )


def test_every_series_is_drawn_and_its_gap_is_a_gap(rows, page):
    lines = [a["d"] for a in page.all("path", class_="line")]
    assert len(lines) == DRAWN
    assert all(d.count("M") == 2 for d in lines)  # one gap, two strokes
    data = re.findall(r'class="data" data-role="patient">(.*?)</script>', session_page(**rows.session_parts()))
    values = json.loads(data[0])
    assert values.count(None) == 36
    assert values[180:216] == [None] * 36
    first = rows.window_frame()[next(iter(SERIES))]
    assert values[:5] == pytest.approx(first[:5].to_list(), rel=1e-3)


def test_what_a_table_says_cannot_become_markup(rows):
    bad = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'"
    parts = rows.session_parts(
        session=rows.session_row(
            session_id=bad,
            subject_id=bad,
            visit=bad,
            message=bad,
            run_id=bad,
            reason=bad,
            sync=json.dumps([{"modality": bad, "role": bad, "source": bad}]),
        ),
        events=rows.frame(
            "events",
            [
                {"kind": kind, "label": bad, "start_s": 1.0, "end_s": 5.0, "source": source, "role": bad}
                for kind, source in (("phase", "events.csv"), ("marker", "events.csv"), ("action", bad), (bad, "video"))
            ],
        ),
        biomarkers=rows.frame(
            "biomarkers",
            [row | {"phase": bad, "channel": bad, "unit": bad, "reason": bad} for row in rows.biomarker_rows()],
        ),
        windows=rows.window_frame(60, (bad,)),
        generated=bad,
    )
    text = session_page(**parts)
    page = Page(text)
    assert "alert(1)" in " ".join(page.text)  # it is there, as text
    assert page.all("img") == []
    assert len([a for a in page.all("script") if a.get("type") != "application/json"]) == 1
    assert text.count("<script>alert") == 0
    assert [a for _, a in page.elements if any(k.startswith("on") for k in a)] == []
    assert page.wrong == []


def test_a_session_of_which_nothing_is_known(rows):
    row = dict.fromkeys(rows.session_row())
    page = Page(session_page(**rows.empty_parts(row)))
    text = " ".join(page.text)
    assert page.wrong == []
    assert "There is nothing to draw" in text
    assert "The tables hold no values" in text
    assert "unknown" in text
    assert "None" not in text
    assert "nan" not in text


def test_a_failed_session_says_why(rows):
    row = rows.session_row(
        status="failed",
        reason="no_usable_stream",
        message="all recordings are damaged",
        duration_s=0.0,
        modalities=[],
        fusion_status="no_fusion_model",
    )
    text = " ".join(Page(session_page(**rows.empty_parts(row))).text)
    assert Reason.NO_USABLE_STREAM.sentence in text
    assert "all recordings are damaged" in text
    assert Reason.NO_FUSION_MODEL.sentence in text


def test_an_absent_modality_is_folded_away_with_its_reason(rows):
    absent = {"value": None, "status": "absent", "reason": "no_stream"}
    some = [row | absent if row["modality"] == "audio" else row for row in rows.biomarker_rows()]
    text = session_page(**rows.session_parts(biomarkers=rows.frame("biomarkers", some)))
    assert re.search(r'<details class="group m-audio">\s*<summary><h3>Voice</h3>.*?no recording of this modality', text)


def test_the_waterfall_ends_at_the_log_odds_exactly(rows):
    made, why = rows.prediction_rows(n=40)
    (item,) = explain(rows.frame("predictions", made), rows.frame("explanations", why))
    moves = item.steps[1:-1]
    assert moves[0].start == made[0]["bias"]
    assert all(a.end == pytest.approx(b.start) for a, b in pairwise(moves))
    assert item.steps[-1].end == pytest.approx(made[0]["log_odds"], abs=1e-9)
    assert moves[-1].end == pytest.approx(made[0]["log_odds"], abs=1e-9)
    sizes = [abs(s.end - s.start) for s in moves[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    assert all(0 <= s.x <= 1000 and s.x + s.width <= 1002 for s in item.steps)


def test_contributions_of_nothing_are_not_drawn(rows):
    made, why = rows.prediction_rows(n=6)
    why = [row | {"contribution": 0.0} if k > 1 else row for k, row in enumerate(why)]
    (item,) = explain(rows.frame("predictions", made), rows.frame("explanations", why))
    assert [step.title for step in item.steps[3:]] == ["Sum (log-odds)"]
    assert item.steps[-1].end == pytest.approx(made[0]["bias"] + why[0]["contribution"] + why[1]["contribution"])


def test_small_contributions_share_a_step_with_their_true_sum(rows):
    made, why = rows.prediction_rows(n=20)
    why = [row | {"contribution": 1.0 if k < 15 else 2e-5 if k < 17 else 0.0} for k, row in enumerate(why)]
    (item,) = explain(rows.frame("predictions", made), rows.frame("explanations", why))
    rest = item.steps[-2]
    assert (rest.title, rest.amount) == ("2 smaller contributions", "+4.0e\u221205")
    assert rest.end - rest.start == pytest.approx(4e-5)


def test_a_model_that_abstains_gives_no_number(rows):
    made, why = rows.prediction_rows(abstained=True)
    parts = rows.session_parts(
        predictions=rows.frame("predictions", made), explanations=rows.frame("explanations", why)
    )
    text = session_page(**parts)
    assert "The model declines to answer." in text
    assert Reason.OUT_OF_DISTRIBUTION.sentence in text
    assert 'class="chance"' not in text


def test_without_a_prediction_the_page_says_why(rows):
    parts = rows.session_parts(
        session=rows.session_row(fusion_status="few_subjects"),
        predictions=rows.frame("predictions", []),
        explanations=rows.frame("explanations", []),
    )
    assert f"No prediction. {Reason.FEW_SUBJECTS.sentence}" in session_page(**parts)


def test_many_beats_become_a_density_that_counts_all_of_them(rows):
    times = np.sort(np.random.default_rng(0).uniform(0, 7200, 1000)).tolist()
    events = rows.frame("events", [{"kind": "beat", "start_s": t, "end_s": t, "source": "ecg"} for t in times])
    (lane,) = event_lanes(events, 0.0, 7200.0)["ecg"]
    assert lane.marks == ()
    most, step = map(float, re.search(r"at most (\d+) in (\d+) s", lane.note).groups())
    tops = [float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)h", lane.density)]
    assert len(tops) * step == 7200
    assert sum((16 - y) / 16 * most for y in tops) == pytest.approx(1000, rel=0.02)


def test_up_to_the_limit_every_event_is_drawn(rows):
    events = rows.frame("events", [{"kind": "beat", "start_s": float(k), "source": "ecg"} for k in range(MAX_MARKS)])
    (lane,) = event_lanes(events, 0.0, 7200.0)["ecg"]
    assert [mark.x for mark in lane.marks] == list(range(MAX_MARKS))
    assert lane.density == ""


def test_marks_lie_where_the_events_are_and_are_cut_at_the_edges(rows):
    spans = ((-5.0, 3.0), (10.0, 12.5), (58.0, 90.0), (70.0, 80.0))
    smiles = [{"kind": "smile", "start_s": first, "end_s": last, "source": "video"} for first, last in spans]
    events = rows.frame("events", smiles)
    (lane,) = event_lanes(events, 0.0, 60.0)["video"]
    assert [(m.x, m.width) for m in lane.marks] == [(0.0, 3.0), (10.0, 2.5), (58.0, 2.0)]


def test_actions_have_a_lane_per_label_and_the_rare_ones_share_one(rows):
    common = {"kind": "action", "start_s": 1.0, "source": "video"}
    events = rows.frame("events", [common | {"label": f"act_{k:02d}", "end_s": 2.0 + k} for k in range(20)])
    titles = [lane.title for lane in event_lanes(events, 0.0, 60.0)["video"]]
    assert len(titles) == 15
    assert "Action: act 19" in titles
    assert "Action: others" in titles
    assert "Action: act 00" not in titles


def test_two_roles_share_a_lane(rows):
    page = Page(session_page(**rows.session_parts(windows=rows.window_frame(600, ("patient", "clinician")))))
    assert len(page.all("path", class_="line")) == DRAWN
    assert len(page.all("path", class_="line second")) == DRAWN
    assert "dashed: clinician" in " ".join(page.text)


def test_a_session_that_starts_before_zero_keeps_its_times(rows):
    windows = rows.window_frame(120).with_columns(pl.col("t_s") - 30)
    events = rows.frame(
        "events", [{"kind": "phase", "label": "rest", "start_s": 0.0, "end_s": 60.0, "source": "events.csv"}]
    )
    timeline = make_timeline(windows, events, None)
    assert (timeline.start_s, timeline.length_s) == (-30.0, 120.0)
    assert (timeline.phases[0].x, timeline.phases[0].width) == (30.0, 60.0)
    assert {tick.label: tick.x for tick in timeline.ticks}["0:00"] == 30.0


def test_two_hours_with_a_hundred_thousand_beats_stay_small(rows):
    seconds = 7200
    times = np.sort(np.random.default_rng(0).uniform(0, seconds, 100_000))
    schema = rows.frame("events", []).schema
    beats = pl.DataFrame({"kind": "beat", "start_s": times, "end_s": times, "source": "ecg", "role": "patient"})
    events = pl.concat(
        [
            rows.frame("events", rows.event_rows(seconds, beats=False)),
            beats.select(*(pl.col(c) if c in beats.columns else pl.lit(None).alias(c) for c in schema)).cast(
                dict(schema)
            ),
        ]
    )
    phases = ["session", *(f"task {k}" for k in range(6))]
    text = session_page(
        **rows.session_parts(
            seconds,
            events=events,
            windows=rows.window_frame(seconds, ("patient", "clinician")),
            biomarkers=rows.frame("biomarkers", rows.biomarker_rows(phases)),
        )
    )
    assert len(text.encode()) < 5e6
    page = Page(text)
    assert all(len(a["d"].split(" ")) <= 1502 for a in page.all("path", class_="line"))
    assert "100\u202f000" in text


CONTRASTS = [
    ("ink", "paper"),
    ("ink", "card"),
    ("ink", "shade"),
    ("quiet", "paper"),
    ("quiet", "card"),
    ("quiet", "shade"),
    ("accent", "card"),
    ("accent", "paper"),
]
CONTRASTS += [
    (tone, "card") for tone in ("ok", "warn", "bad", "none", "video", "audio", "heart", "skin", "breath", "other")
]
CONTRASTS += [(tone, "paper") for tone in ("warn", "bad", "ok")]


def _luminance(colour):
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_a_contrast_of_4_5(rows, theme):
    """WCAG 2.2, 1.4.3."""
    text = session_page(**rows.empty_parts(rows.session_row()))
    blocks = re.findall(r":root \{(.*?)\}", text, flags=re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[theme]))
    for front, back in CONTRASTS:
        high, low = sorted((_luminance(colours[front]), _luminance(colours[back])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (front, back)
    for tone in ("video", "audio", "heart"):  # cells of the cohort page are tinted with up to 25 %
        mixed = "#" + "".join(
            f"{round(0.25 * int(colours[tone][k : k + 2], 16) + 0.75 * int(colours['card'][k : k + 2], 16)):02x}"
            for k in (1, 3, 5)
        )
        high, low = sorted((_luminance(colours["ink"]), _luminance(mixed)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, tone


def test_reasons_link_to_the_lanes_of_their_modality(rows):
    text = session_page(**rows.session_parts())
    links = re.findall(r'<a class="span" href="#([^"]+)" data-span="([^"]+)"', text)
    assert links
    assert {place for place, _ in links} <= {*re.findall(r' id="([^"]+)"', text)}
    assert any(place.startswith("lanes-") for place, _ in links)


def test_lanes_of_people_whose_role_is_not_known_have_their_names(rows):
    said = [
        {"kind": "turn", "label": "speech", "start_s": k, "end_s": k + 1.0, "source": "audio", "role": r, "speaker": s}
        for k, (r, s) in enumerate([("patient", "s1"), ("", "s2"), ("", "s3")])
    ]
    lanes = event_lanes(rows.frame("events", said), 0.0, 60.0)["audio"]
    assert [lane.title for lane in lanes] == [
        f"Turn: speech ({who})" for who in ("patient", "speaker s2", "speaker s3")
    ]


def test_lanes_of_several_sensors_have_their_channels(rows):
    said = [
        {"kind": "beat", "label": "normal", "start_s": k, "end_s": k, "source": s, "role": "patient", "channel": c}
        for k, (s, c) in enumerate([("ecg", "I"), ("ecg", "II"), ("ppg", "PLETH")])
    ]
    lanes = event_lanes(rows.frame("events", said), 0.0, 60.0)
    assert [lane.title for lane in lanes["ecg"]] == ["Heart beats (I)", "Heart beats (II)"]
    assert [lane.title for lane in lanes["ppg"]] == ["Heart beats"]


def test_large_data_are_packed_and_all_of_them_are_there(rows):
    parts = rows.session_parts(1800)
    text = session_page(**parts)
    [packed] = re.findall(r'href="data:application/gzip;base64,([^"]+)" download="values.csv.gz"', text)
    found = pl.read_csv(io.BytesIO(gzip.decompress(base64.b64decode(packed))), infer_schema=False)
    assert found.height == parts["biomarkers"].height
    assert {"method_version", "input_sha256", "run_id"} <= set(found.columns)


def test_a_page_of_many_phases_stays_under_5_mb(rows):
    phases = ("session", *(f"phase {k}" for k in range(12)))
    values = rows.frame("biomarkers", rows.biomarker_rows(phases=phases))
    text = session_page(**rows.session_parts(3600) | {"biomarkers": values})
    assert values.height > MOST_ROWS
    assert text.count('<tr class="value"') == MOST_ROWS
    assert f"{MOST_ROWS} of {values.height} rows" in text
    assert len(text.encode()) < 5e6
    assert "too large for a page" not in text


def test_what_is_known_of_each_recorders_clock_is_said(rows):
    record = {
        "modality": "ecg", "role": "patient", "channel": "I", "offset_s": 1.5, "uncertainty_s": 0.003,
        "source": "estimated", "method": "beats", "drift_ppm": 21.4, "reason": None, "jumps": [[60.0, -2.5, 4.0]],
    }  # fmt: skip
    lost = record | {"channel": "II", "source": "unsynchronised", "method": "", "reason": "nothing_shared", "jumps": []}
    first = lost | {"channel": "III", "group": 2}
    paired = first | {"channel": "aVF", "method": "marks"}
    session = rows.session_row(sync=json.dumps([record, lost, first, paired]))
    text = session_page(**rows.session_parts() | {"session": session})
    for said in ("± 0.003 s", "estimated by beats", "21.4 ppm", "Jumps by \u22122.5 s at 1:00 ± 4 s."):
        assert said in text
    assert text.count(Reason.NOTHING_SHARED.sentence) == 1
    assert "They share nothing with one whose place is known." in text
    assert text.count("Placed on the other recorders of group 2, not on the session.") == 1
    assert text.count("Placed by marks on the other recorders of group 2, not on the session.") == 1
    assert "unsynchronised by" not in text


def test_a_reason_that_the_message_gives_is_said_once(rows):
    reason = Reason.FILE_TRUNCATED
    session = rows.session_row(status="degraded", reason=reason, message=f"eda: {reason.sentence}")
    assert session_page(**rows.session_parts() | {"session": session}).count(reason.sentence) == 1
    session = rows.session_row(status="degraded", reason=reason, message="eda: line 7")
    text = session_page(**rows.session_parts() | {"session": session})
    assert reason.sentence in text
    assert "eda: line 7" in text


def test_methods_versions_and_weights_are_listed(rows):
    one = next(r for r in rows.biomarker_rows(phases=("session",)) if r["biomarker"] == "hrv_rmssd")
    said = {"method": "r-peaks", "method_version": "3", "model_sha256": "ab" * 32 + "+" + "cd" * 32, "value": 1.0}
    values = rows.frame(
        "biomarkers", [one | said, one | said | {"method_version": "2"}, one | said | {"method": "lost", "value": None}]
    )
    text = session_page(**rows.session_parts() | {"biomarkers": values})
    assert "<td>r-peaks 2, r-peaks 3</td><td><code>abababababab</code> <code>cdcdcdcdcdcd</code> </td>" in text
    assert "lost" not in text[text.index("h-methods") :]
