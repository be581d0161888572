"""Rows that meet those of the table by way of a staging table: what is refused of them, and what a dry run says."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotify_ai_agent_migrations import RowError, TableError, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export import cutting, importing, staging, stepwise
from support import connected, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _file(tmp_path: Path, content: str) -> Path:
    (tmp_path / "t.csv").write_bytes(content.encode())
    return tmp_path / "t.csv"


_PARENTS = """
    CREATE TABLE p (id integer PRIMARY KEY);
    INSERT INTO p SELECT generate_series(0, 9);
    CREATE TABLE t (id integer PRIMARY KEY, p integer REFERENCES p);
    INSERT INTO t SELECT n, 0 FROM generate_series(0, 9) AS n
"""


@pytest.mark.soak
@pytest.mark.parametrize(("mode", "count"), [("upsert", 100_000), ("ignore", 20_000), ("merge", 20_000)])
def test_many_rows_without_a_parent_among_many_more_take_seconds(
    empty_url: str, tmp_path: Path, mode: Any, count: int
) -> None:
    _execute(empty_url, _PARENTS)
    orphans = range(37, count, 100)
    wrong = set(orphans)
    path = _file(tmp_path, "id,p\n" + "".join(f"{n},{77 if n in wrong else n % 10}\n" for n in range(count)))
    began = time.monotonic()
    result = bulk_import("t", path, url=empty_url, mode=mode, max_rejects=1_000)
    assert time.monotonic() - began < 30
    assert (result.read, result.rejected) == (count, len(orphans))
    assert [one.line for one in result.rejects] == [n + 2 for n in orphans][:100]
    assert {(one.sqlstate, one.column) for one in result.rejects} == {("23503", "p")}
    assert rows(empty_url, "SELECT count(*) FROM t") == [(count - len(orphans),)]
    assert rows(empty_url, "SELECT p FROM t WHERE id = 5") == [(0 if mode == "ignore" else 5,)]


def test_more_refused_rows_than_may_be_end_it_before_all_are_found(
    empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _execute(empty_url, _PARENTS)
    path = _file(tmp_path, "id,p\n" + "".join(f"{n},77\n" for n in range(20_000)))
    sift, found = stepwise.sift, []

    def counting(*arguments: Any, **named: Any) -> Any:
        taken, refused = sift(*arguments, **named)
        found.append(len(refused))
        return taken, refused

    monkeypatch.setattr(staging, "sift", counting)
    with pytest.raises(RowError) as caught:
        bulk_import("t", path, url=empty_url, mode="upsert", max_rejects=20)
    assert caught.value.problem == (
        f'"{path}": 21 rows cannot be loaded, and 20 may be; the first: line 2, column "p": '
        'p has no row with this key, and "t_p_fkey" needs one'
    )
    assert found == [21]
    assert rows(empty_url, "SELECT count(*) FROM t") == [(10,)]


@pytest.mark.parametrize("guarantee", ["atomic", "resumable"])
def test_the_last_row_of_a_key_that_can_be_loaded_is_and_lines_are_told(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarantee: Any
) -> None:
    monkeypatch.setattr(cutting, "BLOCK_BYTES", 4_000)
    _execute(url, _PARENTS)
    lines = [f"{n},{n % 10}\n" for n in range(2_000)]
    for place in (100, 101, 900, 1_999):
        lines[place] = f"{place},77\n"
    # A key that is there again, far away and beside it; of one the last row cannot be loaded.
    lines[1_500], lines[1_501], lines[1_502] = "3,7\n", "3,8\n", "3,77\n"
    lines.insert(50, "\n")
    path = _file(tmp_path, "id,p\n" + "".join(lines))
    result = bulk_import("t", path, url=url, mode="upsert", guarantee=guarantee, max_rejects=9, lenient=True)
    assert [one.line for one in result.rejects] == [103, 104, 903, 1_505, 2_002]
    for one in result.rejects:
        content = path.read_bytes()[one.offset : one.offset + one.length]
        assert content.endswith(b",77\n")
        assert content.startswith(one.record["id"].encode() + b",")  # type: ignore[union-attr]
    assert (result.read, result.rejected) == (2_000, 5)
    assert rows(url, "SELECT p FROM t WHERE id = 3") == [(8,)]
    # All but the four that have no parent, and the three whose keys are that of another.
    assert rows(url, "SELECT count(*) FROM t") == [(2_000 - 4 - 3,)]


def test_a_number_that_is_always_the_servers_is_not_updated(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, e text UNIQUE, n integer);"
        "INSERT INTO t (e, n) VALUES ('a', 1)",
    )
    path = _file(tmp_path, "id,e,n\n70,a,2\n71,b,3\n")
    for _ in range(2):
        bulk_import("t", path, url=empty_url, mode="upsert", key=["e"])
        assert rows(empty_url, "SELECT id, e, n FROM t ORDER BY e") == [(1, "a", 2), (71, "b", 3)]
    _execute(empty_url, "ALTER TABLE t DROP COLUMN n")
    path.write_text("id,e\n80,a\n")
    assert bulk_import("t", path, url=empty_url, mode="upsert", key=["e"]).skipped == 1


def test_of_two_nulls_that_are_one_key_the_last_is_loaded(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (k integer UNIQUE NULLS NOT DISTINCT, n integer)")
    path = _file(tmp_path, "k,n\n,1\n2,2\n,3\n2,4\n")
    result = bulk_import("t", path, url=empty_url, mode="upsert", key=["k"])
    assert (result.rows, result.skipped) == (2, 2)
    assert rows(empty_url, "SELECT k, n FROM t ORDER BY k") == [(2, 4), (None, 3)]
    with pytest.raises(TableError) as caught:
        bulk_import("t", path, url=empty_url, mode="merge", key=["k"])
    assert caught.value.problem == "a key of the file is NULL in k, and merge would not find its row"
    assert rows(empty_url, "SELECT count(*) FROM t") == [(2,)]


def test_a_column_may_have_any_name(empty_url: str, tmp_path: Path) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (id integer PRIMARY KEY, agentdb_record integer CHECK (agentdb_record > 0), "
        "agentdb_low text)",
    )
    many = "".join(f"{n},{n},x\n" for n in range(1, 100)) + "".join(f"{n},-1,x\n" for n in range(100, 150))
    path = _file(tmp_path, "id,agentdb_record,agentdb_low\n" + many + "1,5,y\n")
    for mode in ("upsert", "ignore", "merge"):
        options: Any = {"mode": mode, "max_rejects": 60}
        result = bulk_import("t", path, url=empty_url, **options)
        assert (result.read, result.rejected) == (150, 50)
        assert [one.line for one in result.rejects] == list(range(101, 151))
    found = bulk_import("t", path, url=empty_url, max_rejects=150)
    assert found.rejected == 150
    assert rows(empty_url, "SELECT agentdb_record, agentdb_low FROM t WHERE id = 1") == [(5, "y")]


@pytest.mark.parametrize("mode", ["insert", "upsert", "replace"])
def test_a_dry_run_under_row_security_says_what_the_load_would_do(
    empty_url: str, tmp_path: Path, login: Callable[..., str], mode: Any
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer PRIMARY KEY, b integer); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t USING (true) WITH CHECK (a > 0); INSERT INTO t VALUES (7, 7), (8, 8)",
    )
    granted = "SELECT, INSERT, UPDATE" + (", TRUNCATE" if mode == "replace" else "")
    other = login(
        grants=(f"GRANT {granted} ON t TO {{role}}", "GRANT TEMPORARY ON DATABASE {database} TO {role}")
    )
    path = _file(tmp_path, "a,b\n1,1\n-2,2\nx,3\n7,5\n9,9\n")
    said: Any = {"mode": mode, "row_security": True, "max_rejects": 5}
    predicted = bulk_import("t", path, url=other, dry_run=True, **said)
    assert rows(empty_url, "SELECT a, b FROM t ORDER BY a") == [(7, 7), (8, 8)]
    result = bulk_import("t", path, url=other, **said)
    found = [(one.line, one.sqlstate, one.reason) for one in predicted.rejects]
    if mode == "replace":
        # What is there would be gone, and is still in the way: the values alone are looked at.
        assert found == [(4, "22P02", "not a valid integer")]
        return
    assert found == [(one.line, one.sqlstate, one.reason) for one in result.rejects]
    assert {(3, "42501"), (4, "22P02")} <= {(line, code) for line, code, _ in found}
    assert (predicted.read, predicted.rows, predicted.skipped) == (result.read, result.rows, result.skipped)


def test_many_rows_that_a_policy_refuses_are_found(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t FOR INSERT WITH CHECK (a % 20 <> 7)",
    )
    other = login(grants=("GRANT INSERT ON t TO {role}", "GRANT TEMPORARY ON DATABASE {database} TO {role}"))
    path = _file(tmp_path, "a\n" + "".join(f"{n}\n" for n in range(20_000)))
    began = time.monotonic()
    result = bulk_import("t", path, url=other, row_security=True, max_rejects=1_000)
    assert time.monotonic() - began < 30
    assert [one.line for one in result.rejects] == [n + 2 for n in range(7, 2_000, 20)]
    assert result.rejects[0].reason == "row security of the table refuses the row"
    assert rows(empty_url, "SELECT count(*) FROM t") == [(19_000,)]


@pytest.mark.parametrize(("table", "sessions"), [("t (id integer PRIMARY KEY)", 1), ("t (id integer)", 2)])
def test_a_pipe_with_a_key_in_two_blocks_keeps_the_second_aside(
    empty_url: str, monkeypatch: pytest.MonkeyPatch, table: str, sessions: int
) -> None:
    monkeypatch.setattr(cutting, "BLOCK_BYTES", 20_000)
    session, opened = importing.Import._session, []

    def counting(self: importing.Import, *arguments: Any) -> Any:
        opened.append(1)
        return session(self, *arguments)

    monkeypatch.setattr(importing.Import, "_session", counting)
    _execute(empty_url, f"CREATE TABLE {table}")
    pipe = io.BytesIO(b"id\n" + b"".join(b"%d\n" % n for n in [*range(60_000), *range(3)]))
    result = bulk_import("t", pipe, url=empty_url, workers=2, max_rejects=10)
    assert (result.rows, result.rejected) == ((60_000, 3) if sessions == 1 else (60_003, 0))
    assert len(opened) == sessions


@pytest.mark.parametrize("mode", ["upsert", "ignore", "merge"])
def test_a_row_that_may_not_be_kept_aside_is_named_by_its_line(
    empty_url: str, tmp_path: Path, mode: Any
) -> None:
    _execute(empty_url, "CREATE TABLE t (id integer PRIMARY KEY, n integer CHECK (n > 0))")
    content = "id,n\n1,1\n" + "\n".join(f"{n},{0 if n in {150, 170} else n}" for n in range(2, 200)) + "\n"
    with pytest.raises(RowError) as caught:
        bulk_import("t", _file(tmp_path, content), url=empty_url, mode=mode)
    place = f'"{tmp_path / "t.csv"}" line 151, column "n"'
    assert caught.value.problem == f'{place}: the row breaks the check "t_n_check"'
    assert (caught.value.line, caught.value.column, caught.value.sqlstate) == (151, "n", "23514")
    with pytest.raises(RowError) as piped:
        bulk_import("t", io.BytesIO(content.encode()), url=empty_url, mode=mode)
    assert "record 150 (the file cannot be read again to find its line)" in piped.value.problem
    assert rows(empty_url, "SELECT count(*) FROM t") == [(0,)]
