"""Reading: frames by name, the wide view, and SQL that can do nothing but read the tables."""

from __future__ import annotations

import hashlib
import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

import cueflow
from cueflow.schemas.biomarkers import BIOMARKERS
from cueflow.schemas.errors import QueryError, TablesError
from cueflow.schemas.tables import TABLES, arrow_schema
from cueflow.storage.reading.queries import EXAMPLES, open_tables, query
from cueflow.storage.records.audit import read_audit
from cueflow.storage.tables import TableStore


@pytest.fixture(scope="module")
def written(tmp_path_factory, commit) -> Path:
    """Two visits of one subject, one of another."""
    root = tmp_path_factory.mktemp("written") / "tables"
    commit(root, "S1", "run-a")
    commit(root, "S2", "run-b")
    commit(root, "S3", "run-b", subject="P002")
    return root


@pytest.fixture
def root(written, tmp_path) -> Path:
    """A copy of them that a test may damage."""
    return shutil.copytree(written, tmp_path / "tables")


def test_frames_by_name_in_every_way(root, counts):
    tables = cueflow.open_tables(root)
    assert list(tables) == list(TABLES)
    assert "events" in tables
    assert "moods" not in tables
    for name in tables:
        assert tables[name].collect().height == 3 * counts[name]
        assert getattr(tables, name).collect_schema().names()[-1] == "dataset"
    with pytest.raises(AttributeError, match="the tables are sessions"):
        tables.moods  # noqa: B018
    with pytest.raises(TablesError, match="no table 'moods'"):
        tables["moods"]


def test_duckdb_and_polars_see_the_same_rows(root):
    tables = open_tables(root)
    for name in TABLES:
        expected = tables[name].collect().to_arrow().num_rows
        columns = tables.duckdb.sql(f"FROM {name}").columns
        assert tables.duckdb.sql(f"FROM {name}").aggregate("count(*)").fetchall() == [(expected,)]
        assert columns == tables[name].collect_schema().names()


def test_rows_that_do_not_count_are_in_no_view(root, write, counts):
    other = write("S1", "run-x", root=root.parent / "other").root
    part = Path("events", "dataset=d", "session=S1", "part.parquet")
    (other / part).replace(root / part)
    assert query(root, "SELECT count(*) AS n FROM events").to_pylist() == [{"n": 2 * counts["events"]}]
    assert open_tables(root).events.collect().height == 2 * counts["events"]


def test_a_question_about_one_session_opens_one_file(root):
    plan = query(root, "EXPLAIN SELECT * FROM events WHERE session_id = 'S2'").to_pylist()[0]["explain_value"]
    assert "Scanning Files: 1/3" in plan


def test_wide_has_a_row_per_session_and_takes_the_value_with_most_coverage(root, rows):
    wide = open_tables(root).wide().collect()
    assert wide["session_id"].to_list() == ["S1", "S2", "S3"]
    first = float(sum(b"run-a"))  # row 0 has coverage 1, the others less
    assert wide["hrv_rmssd"].to_list()[0] == first
    assert wide.columns == ["dataset", "session_id", "subject_id", "visit", *sorted(BIOMARKERS)]
    assert open_tables(root).wide(role="clinician").collect()["hrv_rmssd"].null_count() == 3


def test_of_values_that_cover_as_much_wide_takes_the_one_with_most_evidence(root, rows):
    tables = rows("S4", "run-c")
    n = tables["biomarkers"].num_rows
    for name, values in (("coverage", [1.0] * n), ("n_evidence", [float(i % 3) for i in range(n)])):
        at = tables["biomarkers"].column_names.index(name)
        tables["biomarkers"] = tables["biomarkers"].set_column(at, name, pa.array(values))
    with TableStore(root, "d").writing(root_fingerprint="f", session_ids=["S4"]) as store:
        store.commit_session("S4", tables, run_id="run-c")
    most = float(sum(b"run-c")) + 5  # rows 2 and 5 rest on most, and of these the larger value is taken
    assert open_tables(root).wide().collect()["hrv_rmssd"].to_list()[3] == most
    asked = query(root, "SELECT hrv_rmssd FROM wide WHERE session_id = 'S4'")
    assert asked.to_pylist() == [{"hrv_rmssd": most}]


def test_wide_has_the_measures_of_own_actions_too(root, rows):
    tables = rows("S4", "run-c")
    names = ["action_wave_rate", "action_nod_then_wave_share", *tables["biomarkers"]["biomarker"].to_pylist()[2:]]
    at = tables["biomarkers"].column_names.index("biomarker")
    tables["biomarkers"] = tables["biomarkers"].set_column(at, "biomarker", pa.array(names))
    with TableStore(root, "d").writing(root_fingerprint="f", session_ids=["S4"]) as store:
        store.commit_session("S4", tables, run_id="run-c")
    opened, mark = open_tables(root), float(sum(b"run-c"))
    wide = opened.wide().collect()
    assert wide.columns[-2:] == ["action_nod_then_wave_share", "action_wave_rate"]
    assert wide["action_wave_rate"].to_list() == [None, None, None, mark]
    assert opened.wide(sessions=["S1"]).collect().columns == wide.columns
    asked = query(root, "SELECT session_id, action_wave_rate, action_nod_then_wave_share FROM wide ORDER BY ALL")
    assert asked.to_pylist()[3] == {
        "session_id": "S4", "action_wave_rate": mark, "action_nod_then_wave_share": mark + 1,
    }  # fmt: skip
    assert asked.schema.field("action_wave_rate").metadata[b"unit"] == b"1/min"


def test_a_folder_without_any_session_still_has_every_view(tmp_path):
    store = TableStore(tmp_path / "t", "d")
    with store.writing(root_fingerprint="f", session_ids=[]):
        pass
    for name in TABLES:
        described = query(store.root, f"DESCRIBE {name}").column("column_name").to_pylist()
        assert described == [*arrow_schema(name).names, "dataset"]
    assert query(store.root, "FROM wide").num_rows == 0
    assert open_tables(store.root).wide().collect().height == 0


def test_tables_of_two_versions_are_read_together(root, write):
    import pyarrow.parquet as pq

    folder = root / "events" / "dataset=d" / "session=S1" / "part.parquet"
    pq.write_table(pq.read_table(folder, partitioning=None).drop_columns(["score"]), folder)
    sessions = root / "sessions" / "dataset=d" / "session=S1" / "part.parquet"
    old = pq.read_table(sessions, partitioning=None)
    at = old.column_names.index("cueflow_version")
    pq.write_table(old.set_column(at, "cueflow_version", pa.array(["0.0.9"])), sessions)
    assert query(root, "SELECT count(*) AS n, count(score) AS scored FROM events").to_pylist() == [
        {"n": 9, "scored": 0}
    ]


@pytest.mark.parametrize("folder", ["a b", "o'clock", "[x]*?", "ä"])
def test_odd_folder_names(write, tmp_path, folder, counts):
    store = write("S1", "run-a", root=tmp_path / folder)
    assert query(store.root, "FROM events").num_rows == counts["events"]
    assert open_tables(store.root).events.collect().height == counts["events"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.title)
def test_every_example_runs(root, example):
    assert '"' not in example.sql
    assert query(root, example.sql).num_columns > 1


def test_ten_examples_with_different_titles():
    assert len({e.title for e in EXAMPLES}) == 10


REFUSED = (
    ("COPY events TO 'TABLES/x.csv'", "COPY is not allowed"),
    ("COPY (SELECT 1) TO '/tmp/cueflow-x.csv'", "COPY is not allowed"),
    ("EXPLAIN ANALYZE COPY events TO 'TABLES/x.csv'", "COPY is not allowed"),
    ("EXPLAIN ANALYZE (FORMAT JSON) COPY events TO 'TABLES/x.csv'", ""),
    ("/* a */ EXPLAIN /* b */ ANALYZE COPY events TO 'TABLES/x.csv'", ""),
    ("EXPLAIN EXPLAIN ANALYZE COPY events TO 'TABLES/x.csv'", ""),
    ("ATTACH 'TABLES/x.db'", "ATTACH is not allowed"),
    ("EXPORT DATABASE 'TABLES/x'", "EXPORT is not allowed"),
    ("IMPORT DATABASE 'TABLES/x'", "not allowed"),
    ("INSTALL httpfs", "LOAD is not allowed"),
    ("LOAD httpfs", "LOAD is not allowed"),
    ("PRAGMA database_list", "not allowed"),
    ("SET memory_limit = '100GB'", "SET is not allowed"),
    ("SET enable_external_access = true", "SET is not allowed"),
    ("RESET memory_limit", "not allowed"),
    ("CALL pragma_version()", "CALL is not allowed"),
    ("CREATE TABLE x AS SELECT 1", "CREATE is not allowed"),
    ("DROP VIEW events", "DROP is not allowed"),
    ("DELETE FROM internal.sessions", "DELETE is not allowed"),
    ("UPDATE internal.sessions SET status = 'ok'", "UPDATE is not allowed"),
    ("INSERT INTO internal.sessions FROM internal.sessions", "INSERT is not allowed"),
    ("WITH gone AS (DELETE FROM internal.sessions RETURNING *) FROM gone", "read-only"),
    ("SELECT 1; COPY events TO 'TABLES/x.csv'", "one question at a time"),
    ("PREPARE p AS SELECT 1", "PREPARE is not allowed"),
    ("CHECKPOINT", "not allowed"),
    ("BEGIN", "TRANSACTION is not allowed"),
    ("SELECT * FROM '/etc/passwd'", ""),
    ("SELECT * FROM read_csv('/etc/passwd')", "Only the tables can be read"),
    ("SELECT * FROM read_text('/etc/passwd')", "Only the tables can be read"),
    ("SELECT * FROM read_text('TABLES/events/../../secret.txt')", "Only the tables can be read"),
    ("SELECT * FROM read_text('TABLES/../secret.txt')", "Only the tables can be read"),
    ("SELECT * FROM read_text('TABLES/.cueflow/owner.json')", "Only the tables can be read"),
    ("SELECT * FROM glob('/etc/*')", "Only the tables can be read"),
    ("SELECT * FROM read_parquet('http://localhost:9/x.parquet')", ""),
    ("SELECT * FROM query('CREATE TABLE x AS SELECT 1')", "single SELECT"),
    ("SELECT * FROM frame_of_the_caller", "does not exist! There are sessions, biomarkers"),
    ("SELECT getenv('HOME')", "does not exist"),
    ("", "one question at a time"),
    ("-- nothing", "one question at a time"),
)


@pytest.mark.parametrize(("sql", "said"), REFUSED, ids=[sql or "nothing" for sql, _ in REFUSED])
def test_what_is_not_reading_the_tables_is_refused(root, sql, said):
    (root.parent / "secret.txt").write_text("secret")
    frame_of_the_caller = pa.table({"x": [1]})
    before = _everything(root.parent)
    with pytest.raises(QueryError) as caught:
        query(root, sql.replace("TABLES", str(root)))
    assert said.lower() in caught.value.message.lower()
    assert "\n" not in caught.value.message
    assert frame_of_the_caller.num_rows == 1
    assert _everything(root.parent) == before
    assert not Path("/tmp/cueflow-x.csv").exists()  # noqa: S108


def _everything(folder: Path) -> dict[str, str]:
    return {
        str(p): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "audit.jsonl"
    }


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT valu FROM biomarkers", '"valu" not found'),
        ("SELECT valu FROM biomarkers", '"value"'),
        ("SELECT * FROM biomarker", 'Did you mean "biomarkers"?'),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT status + 1 FROM sessions", "No function matches"),
    ],
)
def test_mistakes_are_explained_on_one_line(root, sql, said):
    with pytest.raises(QueryError) as caught:
        query(root, sql)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert "LINE" not in caught.value.message


@pytest.mark.parametrize(
    "sql",
    ["SHOW TABLES", "DESCRIBE events", "WITH x AS (FROM events) FROM x", "VALUES (1)", "EXPLAIN ANALYZE FROM events"],
)
def test_every_way_to_ask_is_allowed(root, sql):
    assert query(root, sql).num_rows > 0


def test_show_tables_lists_the_views_only(root):
    assert set(query(root, "SHOW TABLES").column("name").to_pylist()) == {*TABLES, "wide"}


def test_a_query_that_takes_too_long_is_stopped(root):
    with pytest.raises(QueryError, match=r"longer than 0\.2 s"):
        query(
            root,
            "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range * 7 = b.range",
            timeout_s=0.2,
        )


def test_a_query_that_needs_too_much_memory_is_stopped(root):
    with pytest.raises(QueryError, match="more than 50MB of memory"):
        query(root, "SELECT range AS a FROM range(50000000) ORDER BY hash(range)", memory_limit="50MB")


def test_a_damaged_table_is_not_the_questions_fault(root):
    (root / "events" / "dataset=d" / "session=S1" / "part.parquet").write_bytes(b"PAR1 damaged PAR1")
    with pytest.raises(TablesError, match="damaged") as caught:
        query(root, "SELECT count(score) FROM events")
    assert str(root) not in caught.value.message


def test_queries_are_logged_without_what_they_name(root):
    query(root, "SELECT value FROM biomarkers WHERE subject_id = 'P001' AND value > 12.5 -- of P001")
    with pytest.raises(QueryError):
        query(root, "DROP TABLE x")
    entries = read_audit(root).entries
    assert [(e["action"], e["asked"]) for e in entries] == [
        ("query", "SELECT value FROM biomarkers WHERE subject_id = ? AND value > ? ?"),
        ("query", "refused"),
    ]


def test_one_session_opens_its_own_files(root, counts):
    tables = open_tables(root).of_session("S2")
    assert {name: frame.collect().height for name, frame in tables.items()} == counts
    assert "S1" not in tables["events"].explain()


def test_wide_rows_say_what_their_columns_are(root):
    field = query(root, "FROM wide").schema.field("hrv_rmssd")
    assert field.metadata[b"unit"] == b"ms"
    assert field.metadata[b"source"] == b"doi:10.1161/01.CIR.93.5.1043"


def test_answers_that_few_programs_read_are_made_readable(root):
    rows = query(
        root,
        "SELECT s.session_id, t.session_id, 1 AS session_id_1, s.finished_utc - t.finished_utc AS a, "
        "INTERVAL 90 SECOND AS b, INTERVAL '2 months 3 days' AS c "
        "FROM sessions s JOIN sessions t USING (run_id) LIMIT 1",
    )
    assert rows.column_names == ["session_id", "session_id_2", "session_id_1", "a", "b", "c"]
    assert rows["a"].to_pylist() == [timedelta(0)]
    assert rows["b"].to_pylist() == [timedelta(seconds=90)]
    assert rows["c"].to_pylist() == ["2 months 3 days"]
    assert pl.DataFrame(rows).shape == (1, 6)
