"""An index that is being built is not one that was left behind, whoever asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2
import pytest

from faults import found, role_of
from spotify_ai_agent_migrations.versions.health_check import State
from support import connected, rows

# Nothing here waits for longer, whatever goes wrong.
MOST_S = 20
BOUNDED = f"SET statement_timeout = '{MOST_S}s'; SET lock_timeout = '{MOST_S}s'"
HIDDEN = "an index of its table is being built, and which is hidden from the login"


@contextmanager
def _building(url: str, statement: str, *, sight: str) -> Iterator[None]:
    """Run *statement* until somebody who may write to table t ends, which is at the end of the block.

    The block begins when the statement waits, seen by the name of its unfinished index being like *sight*.
    """
    with connected(url, autocommit=False) as writer, connected(url) as builder:
        writer.cursor().execute(f"{BOUNDED}; LOCK TABLE t IN ROW EXCLUSIVE MODE")
        builder.cursor().execute(BOUNDED)

        def build() -> None:
            with suppress(psycopg2.errors.QueryCanceled):
                builder.cursor().execute(statement)

        thread = threading.Thread(target=build, daemon=True)
        thread.start()
        try:
            _until(lambda: _unfinished(url, sight))
            yield
        finally:
            builder.cancel()
            writer.rollback()
            thread.join(MOST_S)
    assert not thread.is_alive()


def _unfinished(url: str, sight: str) -> bool:
    statement = (
        "SELECT count(*) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " JOIN pg_stat_progress_create_index ON relid = indrelid WHERE NOT indisvalid AND relname LIKE %s"
        " AND phase LIKE 'waiting for%%'"
    )
    return rows(url, statement, (sight,)) != [(0,)]


def _until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + MOST_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def _left_behind(url: str, table: str, name: str) -> None:
    """Leave an invalid index on a table of two rows that are the same."""
    rows(url, f"CREATE TABLE {table} AS SELECT 1 AS a FROM generate_series(1, 2)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        rows(url, f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} (a)")


def test_an_index_that_is_being_built_is_none_to_who_sees_the_build(
    empty_url: str, login: Callable[..., str]
) -> None:
    rows(empty_url, "CREATE TABLE t (a integer)")
    monitor = login(grants=("GRANT pg_monitor TO {role}",))
    with _building(empty_url, "CREATE INDEX CONCURRENTLY i ON t (a)", sight="i"):
        seen = [found(url, "idx.invalid") for url in (empty_url, monitor)]
    assert seen == [(), ()]
    # The build was cancelled.
    (one,) = found(monitor, "idx.invalid")
    assert (one.state, one.summary) == (State.WARNING, "index i on t is not valid")


def test_an_index_that_may_be_being_built_is_unknown_to_who_does_not_see_the_build(
    empty_url: str, login: Callable[..., str]
) -> None:
    rows(empty_url, "CREATE TABLE t (a integer PRIMARY KEY)")
    _left_behind(empty_url, "u", "old")
    url = login()
    with _building(empty_url, "CREATE INDEX CONCURRENTLY i ON t (a)", sight="i"):
        left, hidden = sorted(found(url, "idx.invalid"), key=lambda one: one.subject.name, reverse=True)
    assert (hidden.state, hidden.summary) == (State.UNKNOWN, f"index public.i: {HIDDEN}")
    role = role_of(url)
    assert (hidden.fixes, hidden.cure) == ((), f"GRANT pg_monitor TO {role}")
    # Nobody builds anything on its table.
    assert (left.state, left.summary) == (State.WARNING, "index old on u is not valid")
    (one, other) = found(url, "idx.invalid")
    assert {one.state, other.state} == {State.WARNING}


def test_the_new_indexes_of_a_table_that_is_indexed_anew_are_none_and_what_was_left_behind_is_one(
    empty_url: str,
) -> None:
    _left_behind(empty_url, "t", "old")
    rows(empty_url, "CREATE INDEX i ON t (a)")
    rows(empty_url, "CREATE INDEX k ON t (a, a)")
    with _building(empty_url, "REINDEX TABLE CONCURRENTLY t", sight="%_ccnew"):
        seen = [one.summary for one in found(empty_url, "idx.invalid")]
    assert seen == ["index old on t is not valid"]
    assert len(found(empty_url, "idx.invalid")) > 1
