"""Rows of the file meet those of the table: ignored, updated, replaced, merged, each accounted for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spotify_ai_agent_migrations import RowError, SettingsError, TableError, bulk_import
from spotify_ai_agent_migrations.versions.bulk_import_export.session import Session
from support import connected, rows


def _execute(url: str, statement: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


_FILE = "id,name,extra\n1,new,{}\n2,same,{}\n3,added,\n4,first,\n4,last,\n"


@pytest.fixture
def loaded(empty_url: str, tmp_path: Path) -> tuple[str, Path]:
    _execute(
        empty_url,
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, extra json);"
        "INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1, 'old', '{}'), (2, 'same', '{}'), (9, 'other', NULL)",
    )
    (tmp_path / "t.csv").write_text(_FILE)
    return empty_url, tmp_path / "t.csv"


@pytest.mark.parametrize(
    ("mode", "counts", "expected"),
    [
        ("ignore", (2, 3, 0), [(1, "old"), (2, "same"), (3, "added"), (4, "first"), (9, "other")]),
        ("upsert", (3, 2, 0), [(1, "new"), (2, "same"), (3, "added"), (4, "last"), (9, "other")]),
        ("merge", (3, 2, 1), [(1, "new"), (2, "same"), (3, "added"), (4, "last")]),
    ],
)
def test_each_mode_does_what_it_says_and_a_second_time_nothing(
    loaded: tuple[str, Path], mode: str, counts: tuple[int, int, int], expected: list[tuple[int, str]]
) -> None:
    url, path = loaded
    first = bulk_import("t", path, url=url, mode=mode)  # type: ignore[arg-type]
    assert (first.rows, first.skipped, first.deleted) == counts
    assert rows(url, "SELECT id, name FROM t ORDER BY id") == expected
    again = bulk_import("t", path, url=url, mode=mode)  # type: ignore[arg-type]
    assert (again.rows, again.skipped, again.deleted) == (0, 5, 0)
    assert rows(url, "INSERT INTO t (name) VALUES ('next') RETURNING id >= 5") == [(True,)]


def test_replace_empties_the_table_and_a_refused_file_leaves_it(loaded: tuple[str, Path]) -> None:
    url, path = loaded
    with pytest.raises(RowError):
        bulk_import("t", path, url=url, mode="replace")
    assert rows(url, "SELECT count(*) FROM t") == [(3,)]
    path.write_text("id,name\n7,only\n")
    assert bulk_import("t", path, url=url, mode="replace").rows == 1
    assert rows(url, "SELECT id, name FROM t") == [(7, "only")]


def test_a_key_of_a_unique_index_is_named_and_another_is_refused(empty_url: str, tmp_path: Path) -> None:
    _execute(empty_url, "CREATE TABLE t (a text UNIQUE, b integer); INSERT INTO t VALUES ('x', 1)")
    path = tmp_path / "t.csv"
    path.write_text("a,b\nx,2\n,3\n,4\n")
    with pytest.raises(TableError) as none:
        bulk_import("t", path, url=empty_url, mode="upsert")
    assert none.value.problem == "public.t has no primary key to upsert by"
    with pytest.raises(TableError) as wrong:
        bulk_import("t", path, url=empty_url, mode="upsert", key=["b"])
    assert wrong.value.problem == "public.t has no unique index on (b)"
    # Two NULLs are not the same key: both rows are there.
    assert bulk_import("t", path, url=empty_url, mode="upsert", key=["a"]).rows == 3
    assert rows(empty_url, "SELECT a, b FROM t ORDER BY b") == [("x", 2), (None, 3), (None, 4)]


def test_a_partitioned_table_is_upserted(url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    head = "user_id,id,event_name,created_at\n"
    path.write_text(head + "0,1,track.played,2026-01-01T00:00:00Z\n0,2,track.played,2026-02-01T00:00:00Z\n")
    assert bulk_import("analytics", path, url=url, mode="upsert").rows == 2
    path.write_text(head + "0,1,track.skipped,2026-01-01T00:00:00Z\n0,2,track.played,2026-02-01T00:00:00Z\n")
    result = bulk_import("analytics", path, url=url, mode="upsert")
    assert (result.rows, result.skipped) == (1, 1)
    assert rows(url, "SELECT event_name FROM analytics ORDER BY id") == [
        ("track.skipped",),
        ("track.played",),
    ]


def test_under_row_security_the_policies_decide_when_it_is_asked_for(
    empty_url: str, tmp_path: Path, login: Callable[..., str]
) -> None:
    _execute(
        empty_url,
        "CREATE TABLE t (a integer); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t FOR INSERT WITH CHECK (a > 0)",
    )
    other = login(grants=("GRANT INSERT ON t TO {role}", "GRANT TEMPORARY ON DATABASE {database} TO {role}"))
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n-2\n3\n")
    with pytest.raises(TableError):
        bulk_import("t", path, url=other)
    result = bulk_import("t", path, url=other, row_security=True, max_rejects=1)
    assert [(one.line, one.sqlstate) for one in result.rejects] == [(3, "42501")]
    assert rows(empty_url, "SELECT a FROM t") == [(1,), (3,)]


def test_options_that_contradict_one_another_are_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        bulk_import("t", "t.csv", mode="merge", guarantee="resumable")
    assert caught.value.problem == "merge cannot be resumed: half of it would be a table nobody asked for"
    with pytest.raises(SettingsError) as unknown:
        bulk_import("t", "t.csv", mode="append")  # type: ignore[arg-type]
    assert (unknown.value.problem, unknown.value.hint) == (
        'mode is "append", which there is not',
        "say one of insert, ignore, upsert, replace, merge",
    )


def test_a_swap_lets_others_read_while_the_file_is_loaded(
    loaded: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, path = loaded
    path.write_text("id,name\n7,only\n8,two\n")
    send, seen = Session.send, []

    def reading(self: Session, prepared: object) -> object:
        outcome = send(self, prepared)  # type: ignore[arg-type]
        seen.append(rows(url, "SELECT count(*) FROM t"))
        return outcome

    monkeypatch.setattr(Session, "send", reading)
    assert bulk_import("t", path, url=url, mode="replace", swap=True).rows == 2
    assert seen == [[(3,)]]
    assert rows(url, "SELECT id, name FROM t") == [(7, "only"), (8, "two")]
    path.write_text("id,name\n7,only\n7,again\n")
    with pytest.raises(RowError):
        bulk_import("t", path, url=url, mode="replace", swap=True)
    assert rows(url, "SELECT count(*) FROM t") == [(2,)]
    with pytest.raises(SettingsError) as caught:
        bulk_import("t", path, url=url, swap=True)
    assert caught.value.hint == 'say mode="replace", and leave rebuild out'
