"""Names of other tools in a question."""

from __future__ import annotations

import pytest

from cueflow.storage.reading.names import names_in, unknown_column

CPPS = "CPPS is called voice_cpps here (cueflow dictionary)."


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("FROM biomarkers WHERE biomarker = 'CPPS'", (CPPS,)),
        ("FROM biomarkers WHERE biomarker ILIKE '%CPPS%' OR biomarker = 'CPPS'", (CPPS,)),
        ("FROM biomarkers WHERE biomarker = 'voice_cpps' AND session_id = 's 1'", ()),
        ("SELECT 'it is nobody''s'", ()),
    ],
)
def test_what_a_question_compares_with(sql, said):
    assert names_in(sql) == said


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ('Binder Error: Referenced column "CPPS" not found in FROM clause!', CPPS),
        ('Binder Error: Values list "w" does not have a column named "CPPS"', CPPS),
        ('Binder Error: Referenced column "nothing" not found in FROM clause!', ""),
        ("Parser Error: syntax error", ""),
    ],
)
def test_a_column_that_is_not_there(message, said):
    assert unknown_column(message) == said
