"""Ten questions that people ask the tables; a test asks them all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A question and its SQL (no double quotes: it is pasted between them on a command line)."""

    title: str
    sql: str


EXAMPLES: tuple[Example, ...] = (
    Example(
        "Sessions that are not ok, and why",
        "SELECT session_id, status, reason, message FROM sessions WHERE status <> 'ok' ORDER BY session_id",
    ),
    Example(
        "How much of each session was usable",
        "SELECT session_id, round(duration_s) AS seconds, video_coverage, audio_coverage, physiology_coverage "
        "FROM sessions ORDER BY session_id",
    ),
    Example(
        "Every biomarker over the cohort: how often it has a value, median and spread",
        "SELECT modality, biomarker, any_value(unit) AS unit, count(value) AS n, median(value) AS median, "
        "quantile_cont(value, 0.75) - quantile_cont(value, 0.25) AS iqr FROM biomarkers "
        "WHERE phase = 'session' AND status = 'ok' GROUP BY ALL ORDER BY modality, biomarker",
    ),
    Example(
        "Why values are missing",
        "SELECT modality, status, reason, count(*) AS n FROM biomarkers WHERE value IS NULL "
        "GROUP BY ALL ORDER BY n DESC",
    ),
    Example(
        "Change from one visit to the next",
        "SELECT subject_id, biomarker, visit, value, value - lag(value) OVER w AS change FROM biomarkers "
        "WHERE phase = 'session' AND role = 'patient' AND status = 'ok' "
        "WINDOW w AS (PARTITION BY dataset, subject_id, biomarker, channel ORDER BY visit) ORDER BY ALL",
    ),
    Example(
        "Phases against the whole session",
        "SELECT p.session_id, p.phase, p.biomarker, p.value - s.value AS difference, p.unit FROM biomarkers p "
        "JOIN biomarkers s USING (dataset, session_id, biomarker, role, channel) "
        "WHERE p.phase <> 'session' AND s.phase = 'session' AND p.status = 'ok' AND s.status = 'ok' ORDER BY ALL",
    ),
    Example(
        "One row per session, one column per biomarker",
        "SELECT * FROM wide ORDER BY session_id",
    ),
    Example(
        "Events per minute, by kind",
        "SELECT e.session_id, kind, count(*) * 60 / any_value(s.duration_s) AS per_minute FROM events e "
        "JOIN sessions s USING (dataset, session_id) GROUP BY ALL ORDER BY ALL",
    ),
    Example(
        "What counted most in each prediction",
        "SELECT session_id, target, biomarker, contribution, value, reference FROM explanations "
        "QUALIFY row_number() OVER (PARTITION BY dataset, session_id, target ORDER BY abs(contribution) DESC) <= 5 "
        "ORDER BY session_id, target, abs(contribution) DESC",
    ),
    Example(
        "Which runs, versions and weights the values come from",
        "SELECT s.run_id, s.cueflow_version, b.method, b.method_version, left(b.model_sha256, 12) AS weights, "
        "count(DISTINCT session_id) AS sessions FROM biomarkers b JOIN sessions s USING (dataset, session_id) "
        "GROUP BY ALL ORDER BY ALL",
    ),
)
