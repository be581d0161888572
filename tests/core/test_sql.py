"""Named statements are found, and a statement is shown without a literal."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotify_ai_agent_migrations.versions.core import sql
from spotify_ai_agent_migrations.versions.core.sql import ends_transaction, queries, without_literals
from support import ROOT

PACKAGE = "spotify_ai_agent_migrations.versions"


def test_no_two_statements_of_a_room_have_one_name() -> None:
    headings = {
        file.parent.name: sum(
            line.startswith("-- ") and line.endswith(" --")
            for other in file.parent.glob("*.sql")
            for line in other.read_text(encoding="utf-8").splitlines()
        )
        for file in (ROOT / "versions").glob("*/queries.sql")
    }
    assert headings == {room: len(queries(f"{PACKAGE}.{room}")) for room in headings}
    assert headings["health_check"] > 100


def test_a_statement_that_another_file_has_too_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "PACKAGE_ROOT", tmp_path)
    for room, other in (("one", "second"), ("two", "first")):
        (tmp_path / room).mkdir()
        (tmp_path / room / "a.sql").write_text("-- first --\nSELECT 1;\n")
        (tmp_path / room / "b.sql").write_text(f"-- {other} --\nSELECT 2;\n")
    assert dict(queries("root.one")) == {"first": "SELECT 1;", "second": "SELECT 2;"}
    with pytest.raises(ValueError, match=r'two statements of root\.two are called "first"'):
        queries("root.two")


@pytest.mark.parametrize("room", ["core", "runner", "bulk_import_export", "docs", "health_check"])
def test_every_statement_of_a_room_has_a_purpose_and_a_body(room: str) -> None:
    found = queries(f"{PACKAGE}.{room}")
    assert found
    for name, text in found.items():
        first, *rest = text.splitlines()
        assert first.startswith("-- "), name
        assert any(not line.startswith("--") for line in rest), name


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT *\n  FROM users WHERE email = 'it''s@me.org'", "SELECT * FROM users WHERE email = ?"),
        (r"SELECT E'a\'b', 12.5, col1", "SELECT ?, ?, col1"),
        ("DO $body$ secret $$ more $body$", "DO ?"),
        ("SELECT 'cut off in the mid", "SELECT ?"),
        (r"SELECT 'C:\', 'luis@x.org' FROM t", "SELECT ?, ? FROM t"),
        ("SELECT 1 -- luis@x.org, it's me\n, 'secret'", "SELECT ? , ?"),
        ("SELECT 1 /* luis@x.org, it's me */, 'secret'", "SELECT ? , ?"),
        ("SELECT \"it's\", 'secret'", 'SELECT "it\'s", ?'),
        ("SELECT $é$secret$é$, $1", "SELECT ?, $?"),
        ("SELECT U&'secret', x'ff', 1.5e-7, a1", "SELECT ?, ?, ?, a1"),
        ('SELECT "Column 1" FROM t2', 'SELECT "Column 1" FROM t2'),
    ],
)
def test_literals_become_question_marks(statement: str, shown: str) -> None:
    assert without_literals(statement) == shown


@pytest.mark.parametrize(
    ("statement", "ends"),
    [
        ("COMMIT", True),
        ("-- now\ncommit;", True),
        ("ROLLBACK AND CHAIN", True),
        ("ROLLBACK TO SAVEPOINT a", False),
        ("ROLLBACK WORK TO a", False),
        ("BEGIN", True),
        ("START TRANSACTION READ ONLY", True),
        ("PREPARE TRANSACTION 'a'", True),
        ("PREPARE a AS SELECT 1", False),
        ("END", True),
        ("SAVEPOINT a", False),
        ("SELECT 'COMMIT'", False),
        ("", False),
    ],
)
def test_what_ends_a_transaction_is_told_from_what_does_not(statement: str, ends: bool) -> None:
    assert ends_transaction(statement) is ends


def test_a_long_statement_is_cut() -> None:
    assert without_literals("SELECT " + "a, " * 200, most=20) == "SELECT a, a, a, a, …"
