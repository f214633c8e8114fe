"""Annotations of other programs: the same two actions from each of them, and files that are none."""

from __future__ import annotations

import pytest

from cueflow.schemas.errors import DatasetError
from cueflow.tasks.actions.data.annotations import annotations_of, read_annotations
from cueflow.tasks.actions.data.labels import Action
from cueflow.tasks.ingest.dataset import read_dataset

WANTED = {"s1": (Action("nod", 1.5, 3.0), Action("smile", 2.0, 6.25))}

ELAN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1500"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2000"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="3000"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="6250"/>
    <TIME_SLOT TIME_SLOT_ID="ts5"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="t" TIER_ID="head">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>nod</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts5">
      <ANNOTATION_VALUE>shake</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="t" TIER_ID="smile">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="r" PARENT_REF="head" TIER_ID="note">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a1"><ANNOTATION_VALUE>slow</ANNOTATION_VALUE>
    </REF_ANNOTATION></ANNOTATION>
  </TIER>
</ANNOTATION_DOCUMENT>
"""
AGGREGATED = """Observation id,Subject,Behavior,Behavioral category,Behavior type,Start (s),Stop (s),Duration (s)
s1,P,smile,face,STATE,2.0,6.25,4.25
s1,P,nod,head,STATE,1.5,3.0,1.5
s1,P,clap,hand,POINT,4.0,4.0,NA
"""
TABULAR = """Observation id\tTime\tSubject\tBehavior\tBehavior type\tStatus
s1\t1.5\tP\tnod\tSTATE\tSTART
s1\t2.0\tP\tsmile\tSTATE\tSTART
s1\t3.0\tP\tnod\tSTATE\tSTOP
s1\t4.0\tP\tclap\tPOINT\tPOINT
s1\t6.25\tP\tsmile\tSTATE\tSTOP
"""
OWN = "session_id,onset_s,duration_s,label,kind\ns1,2,4.25,smile,action\ns1,1.5,1.5,nod,action\ns1,0,9,rest,phase\n"


@pytest.mark.parametrize(
    ("name", "text", "left_out"),
    [
        ("s1.eaf", ELAN, "2 annotation(s) without times"),
        ("boris.csv", AGGREGATED, "1 point event(s)"),
        ("boris.tsv", TABULAR, "1 point event(s)"),
        ("own.csv", OWN, None),
    ],
)
def test_every_format_gives_the_same_actions(tmp_path, name, text, left_out):
    (tmp_path / name).write_text(text)
    found, warnings = read_annotations(tmp_path / name)
    assert found == WANTED
    assert [w for w in warnings if left_out and left_out in w] == list(warnings)


def test_a_folder_of_elan_files_is_one_annotation(tmp_path):
    for session in ("s1", "s2"):
        (tmp_path / f"{session}.eaf").write_text(ELAN)
    assert read_annotations(tmp_path)[0] == {"s1": WANTED["s1"], "s2": WANTED["s1"]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.eaf", "<ANNOTATION_DOCUMENT>", "cannot be read as an ELAN"),
        ("a.eaf", "<html></html>", "is no ELAN"),
        ("a.eaf", "<ANNOTATION_DOCUMENT></ANNOTATION_DOCUMENT>", "holds no annotation"),
        ("b.csv", TABULAR.replace("\tSTOP", "\tSTART"), "starts or stops 'nod' twice"),
        ("b.csv", "\n".join(TABULAR.splitlines()[:3]), "never stopped"),
        ("b.csv", AGGREGATED.replace("6.25", "1.0"), "line 2"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_what_is_no_annotation_is_refused(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_annotations(tmp_path / name)


def dataset(root, events):
    (root / "v.mp4").write_bytes(b"x")
    (root / "manifest.csv").write_text("session_id,subject_id,modality,path\ns1,p1,video,v.mp4\n")
    (root / "events.csv").write_text(events)
    return read_dataset(root)


def test_the_events_table_of_the_dataset(tmp_path):
    assert annotations_of(dataset(tmp_path, OWN)) == WANTED


def test_without_kinds_every_row_with_a_duration_counts(tmp_path):
    found = annotations_of(dataset(tmp_path, "session_id,onset_s,duration_s,label\ns1,1,2,nod\ns1,5,,click\n"))
    assert found == {"s1": (Action("nod", 1.0, 3.0),)}


def test_phases_alone_are_no_annotation(tmp_path):
    with pytest.raises(DatasetError, match="no annotated action"):
        annotations_of(dataset(tmp_path, OWN.replace(",action", ",phase")))


def test_an_unknown_kind_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="line 2: kind must be"):
        dataset(tmp_path, OWN.replace("smile,action", "smile,mood"))


def test_lines_cut_short_and_unknown_encodings_are_refused_in_words(tmp_path):
    (tmp_path / "a.csv").write_text("Observation id,Subject,Behavior,Behavior type,Status,Time\nS1,P,nod\nS1\n")
    with pytest.raises(DatasetError, match="never stopped"):
        read_annotations(tmp_path / "a.csv")
    (tmp_path / "b.eaf").write_text('<?xml version="1.0" encoding="UT0-8"?><ANNOTATION_DOCUMENT/>')
    with pytest.raises(DatasetError, match="ELAN"):
        read_annotations(tmp_path / "b.eaf")
