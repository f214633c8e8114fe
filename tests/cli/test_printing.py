"""Answers in every form that can be asked for."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cueflow.cli.checking import print_check
from cueflow.cli.printing import print_rows
from cueflow.schemas.errors import QueryError, TablesError

ROWS = pa.table(
    {
        "list": pa.array([["a", "b"], None]),
        "struct": pa.array([{"x": 1}, None]),
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
        "bytes": pa.array([b"z", None]),
        "number": pa.array([float("nan"), float("inf")]),
        "span": pa.array([1_000_000, None], pa.duration("us")),
        "text": pa.array(["ä,\n\"", None]).dictionary_encode(),
    }
)  # fmt: skip


def test_csv_holds_lists_as_json(capsys):
    print_rows(ROWS, "csv", None)
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert json.loads(first["list"]) == ["a", "b"]
    assert json.loads(first["struct"]) == {"x": 1}
    assert first["span"] == "0:00:01"
    assert first["text"] == 'ä,\n"'
    assert second["list"] == second["struct"] == second["span"] == ""


def test_json_is_json(capsys):
    print_rows(ROWS, "json", None)
    first, second = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert first["list"] == ["a", "b"]
    assert first["number"] is second["number"] is None


def test_a_wide_table_is_cut_and_parquet_is_whole(capsys, tmp_path):
    wide = pa.table({f"c{k:03d}": [k] for k in range(600)})
    print_rows(wide, "table", None)
    assert max(map(len, capsys.readouterr().out.splitlines())) < 400
    print_rows(ROWS, "parquet", tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet").num_rows == 2


def test_what_cannot_be_written_is_said_on_one_line(tmp_path):
    spans = pa.array([{"a": pa.MonthDayNano([1, 2, 3])}])
    with pytest.raises(QueryError, match="Column 'x' holds intervals"):
        print_rows(pa.table({"x": spans}), "csv", None)
    with pytest.raises(TablesError, match="No such file"):
        print_rows(ROWS, "csv", tmp_path / "not" / "there.csv")


def test_what_a_file_or_package_is_called_in_brackets_is_printed(capsys, tmp_path):
    (tmp_path / "a.csv").write_text("time_s,RR [ms]\n0,800\n1,810\n")
    head = "session_id,subject_id,modality,path,channel\n"
    (tmp_path / "manifest.csv").write_text(head + "S,P[1],ecg,a.csv,ECG [mV]\nS,P[1],ecg,none.csv,\n")
    assert print_check(tmp_path, as_json=False) == 3
    told = capsys.readouterr().out
    assert "P[1]" in told
    assert "'ECG [mV]'; the file has time_s, RR [ms] [column_missing]" in " ".join(told.split())
    assert "  S: No recording of the session could be used. [no_usable_stream]" in told
