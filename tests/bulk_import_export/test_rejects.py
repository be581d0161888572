"""Rows that cannot be loaded are kept aside, with line, offset, column, code and reason; the others are loaded."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import parse_dsn

from spotify_ai_agent_migrations import RowError, bulk_import
from support import connected, rows

_TABLE = """
    CREATE TABLE p (k integer PRIMARY KEY);
    INSERT INTO p VALUES (1);
    CREATE TABLE t (
        id integer PRIMARY KEY, name varchar(12) NOT NULL, p integer REFERENCES p, price numeric CHECK (price > 0),
        extra jsonb
    )
"""
_LINES = [
    ("1,good,1,1,{}", None),
    ("x,bad,1,1,{}", ("id", "22P02", "not a valid integer")),
    ("2,,1,1,{}", ("name", "23502", "no value where the table must have one")),
    ("3,much too long a name,1,1,{}", ("name", "22001", "too long for character varying(12)")),
    ('4,"two\nlines",1,1,"{""a"":\n1}"', None),
    ("5,orphan,7,1,{}", ("p", "23503", 'p has no row with this key, and "t_p_fkey" needs one')),
    ("6,cheap,1,-1,{}", ("price", "23514", 'the row breaks the check "t_price_check"')),
    ("7,few,1", (None, "22P04", "3 fields where the header has 5")),
    ('8,"stray" quote,1,1,{}', ("name", "22P04", "text follows a closing quote")),
    ("1,again,1,1,{}", ("id", "23505", 'the key is there already, and "t_pkey" allows it once')),
    ("9,json,1,1,{", ("extra", "22P02", "not a valid jsonb")),
    ("10,last,1,1,", None),
]


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _write(path: Path) -> list[tuple[int, int, str | None, str, str]]:
    """Write the lines above; return what has to be said of those that are bad."""
    text, expected = "id,name,p,price,extra\n", []
    for line, fault in _LINES:
        if fault is not None:
            expected.append((text.count("\n") + 1, len(text), *fault))
        text += line + "\n"
    path.write_text(text)
    return expected


def test_every_kind_of_bad_row_is_told_and_every_good_one_loaded(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, _TABLE)
    path, kept = tmp_path / "t.csv", tmp_path / "rejects.jsonl"
    expected = _write(path)
    result = bulk_import("t", path, url=empty_url, max_rejects=20, rejects=kept)
    assert (result.read, result.rows, result.rejected, result.skipped) == (12, 3, 9, 0)
    found = [(one.line, one.offset, one.column, one.sqlstate, one.reason) for one in result.rejects]
    assert found == expected
    assert rows(empty_url, "SELECT id FROM t ORDER BY id") == [(1,), (4,), (10,)]
    about, *lines = map(json.loads, kept.read_text().splitlines())
    assert (about["table"], about["source"]) == ("public.t", str(path))
    assert [(one["line"], one["sqlstate"]) for one in lines] == [
        (line, code) for line, _, _, code, _ in expected
    ]
    assert lines[0]["record"] == {"id": "x", "name": "bad", "p": "1", "price": "1", "extra": "{}"}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_one_more_than_allowed_and_nothing_is_loaded(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, _TABLE)
    path = tmp_path / "t.csv"
    _write(path)
    assert bulk_import("t", path, url=empty_url, max_rejects=0.75).rejected == 9
    _execute(empty_url, "TRUNCATE t")
    for most in (8, 0.7):
        with pytest.raises(RowError) as caught:
            bulk_import("t", path, url=empty_url, max_rejects=most)
        assert caught.value.problem == (
            f'"{path}": 9 rows cannot be loaded, and {most} may be; the first: line 3, column "id": '
            "not a valid integer"
        )
        assert caught.value.hint == "mend them or allow more; nothing was loaded"
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


def test_a_dry_run_predicts_and_writes_nothing(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, _TABLE)
    path = tmp_path / "t.csv"
    _write(path)
    result = bulk_import("t", path, url=empty_url, dry_run=True)
    # What only the table knows, its constraints, no dry run sees.
    assert [one.line for one in result.rejects] == [3, 5, 11, 12, 14]
    assert (result.types["price"], result.sample[0]["name"]) == ("numeric", "good")
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


def test_personal_values_are_neither_in_the_file_nor_in_the_ledger(url: str, tmp_path: Path) -> None:
    path, kept = tmp_path / "a.csv", tmp_path / "rejects.jsonl"
    path.write_text(
        "user_id,id,event_name,session_id,created_at\n"
        "0,1,track.played,s3cret,2026-01-01T00:00:00Z\n0,x,track.played,,2026-01-01T00:00:00Z\n"
        "0,2,track.played,,2026-01-01T00:00:00Z\n"
    )
    result = bulk_import("analytics", path, url=url, max_rejects=5, rejects=kept)
    assert [(one.column, one.value) for one in result.rejects] == [("session_id", None), ("id", "x")]
    assert "s3cret" not in kept.read_text()
    assert json.loads(kept.read_text().splitlines()[1])["masked"] == [
        "user_id",
        "event_name",
        "session_id",
        "created_at",
    ]
    assert rows(url, "SELECT line, column_name, sqlstate, value FROM ops.import_reject ORDER BY line") == [
        (2, "session_id", "22P02", None),
        (3, "id", "22P02", "x"),
    ]
    assert rows(url, "SELECT read_count, loaded_count, rejected_count FROM ops.import_job") == [(3, 1, 2)]


def test_a_thousand_bad_rows_among_many_are_found_one_by_one(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer PRIMARY KEY, name text NOT NULL)")
    path = tmp_path / "t.csv"
    bad = {number: ("x" if number % 2 else "") for number in range(50, 100_000, 100)}
    with path.open("w") as file:
        file.write("id,name\n")
        for number in range(100_000):
            wrong = bad.get(number)
            file.write(f"{number}{wrong or ''},{'' if wrong == '' else f'name {number}'}\n")
    result = bulk_import("t", path, url=empty_url, max_rejects=0.02, workers=2)
    assert (result.rows, result.rejected) == (99_000, 1_000)
    assert rows(empty_url, "SELECT count(*), sum(id) FROM t") == [(99_000, sum(range(100_000)) - sum(bad))]


def test_rejects_by_the_thousand_are_told_as_exactly_as_a_few(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        """CREATE TABLE p (k integer PRIMARY KEY); INSERT INTO p VALUES (1);
        CREATE TABLE t (low integer PRIMARY KEY, "$agentdb$" text NOT NULL, p integer REFERENCES p,
                        price numeric CONSTRAINT cheap CHECK (price > 0));
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.low = 4999 THEN RAISE EXCEPTION 'no %', NEW.low; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()""",
    )
    path = tmp_path / "t.csv"
    kinds: dict[int, tuple[str, tuple[str | None, str, str] | None]] = {
        0: ("{n},x,1,1", None),
        1: ("{n},x,1,-1", ("price", "23514", 'the row breaks the check "cheap"')),
        2: ("0,x,1,1", ("low", "23505", 'the key is there already, and "t_pkey" allows it once')),
        3: ("{n},,1,1", ("$agentdb$", "23502", "no value where the table must have one")),
        4: ("{n},x,2,1", ("p", "23503", 'p has no row with this key, and "t_p_fkey" needs one')),
        5: ("{n}x,x,1,1", ("low", "22P02", "not a valid integer")),
    }
    expected, lines = [], ["low,$agentdb$,p,price"]
    for number in range(5_000):
        text, fault = kinds[number // 2 % 5 + 1 if number % 2 else 0]
        if number == 4_999:
            text, fault = (
                "{n},x,1,1",
                (None, "P0001", "a trigger or function refused the row (SQLSTATE P0001)"),
            )
        if fault is not None:
            expected.append((number + 2, fault[1]))
        lines.append(text.format(n=number))
    path.write_text("\n".join(lines) + "\n")
    result = bulk_import("t", path, url=empty_url, max_rejects=5_000, rejects=tmp_path / "r.jsonl")
    assert (result.read, result.rejected) == (5_000, len(expected))
    told = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()[1:]]
    assert sorted((one["line"], one["sqlstate"]) for one in told) == expected
    faults: dict[str, tuple[str | None, str]] = {
        fault[1]: (fault[0], fault[2]) for _, fault in kinds.values() if fault is not None
    }
    faults["P0001"] = (None, "a trigger or function refused the row (SQLSTATE P0001)")
    assert {(one["sqlstate"], one["column"], one["reason"]) for one in told} == {
        (code, *faults[code]) for code in {one["sqlstate"] for one in told}
    }
    assert rows(empty_url, "SELECT count(*), count(*) FILTER (WHERE low % 2 = 0) FROM t") == [(2_500, 2_500)]


def test_a_file_of_which_every_row_is_there_already_takes_seconds(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer PRIMARY KEY, name text)")
    path = tmp_path / "t.csv"
    path.write_text("id,name\n" + "".join(f"{number},name\n" for number in range(20_000)))
    bulk_import("t", path, url=empty_url)
    result = bulk_import("t", path, url=empty_url, max_rejects=20_000, again=True)
    assert (result.rows, result.rejected, result.rejects[0].line) == (0, 20_000, 2)
    # A trip to the server for each would take two minutes.
    assert result.seconds < 30


def test_without_temporary_tables_the_rows_are_found_all_the_same(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer PRIMARY KEY)")
    _execute(
        empty_url, "REVOKE TEMPORARY ON DATABASE " + str(parse_dsn(empty_url)["dbname"]) + " FROM PUBLIC"
    )
    other = login(grants=("GRANT SELECT, INSERT ON t TO {role}",))
    path = tmp_path / "t.csv"
    path.write_text("id\n" + "".join(f"{number // 2}\n" for number in range(200)))
    result = bulk_import("t", path, url=other, max_rejects=200)
    assert (result.rows, result.rejected) == (100, 100)


def test_a_dry_run_tells_rejects_by_the_hundred(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer PRIMARY KEY)")
    path = tmp_path / "t.csv"
    path.write_text("id\n" + "".join(f"{number}{'x' * (number % 2)}\n" for number in range(200)))
    result = bulk_import("t", path, url=empty_url, dry_run=True)
    assert (result.rows, result.rejected) == (100, 100)
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize("options", [{}, {"dry_run": True}, {"mode": "upsert"}, {"guarantee": "resumable"}])
def test_a_short_line_that_begins_with_a_bad_value_is_kept_aside(
    url: str, tmp_path: Path, options: Any
) -> None:
    _execute(url, "CREATE TABLE t (id integer PRIMARY KEY, name text)")
    (tmp_path / "t.csv").write_text("id,name\n1,a\nx,b\n   \n2,c\n(2 rows)\n")
    result = bulk_import("t", tmp_path / "t.csv", url=url, max_rejects=5, **options)
    assert [(one.line, one.column, one.reason) for one in result.rejects] == [
        (3, "id", "not a valid integer"),
        (4, None, "1 field where the header has 2"),
        (6, None, "1 field where the header has 2"),
    ]
    assert rows(url, "SELECT count(*) FROM t") == [(0 if "dry_run" in options else 2,)]
