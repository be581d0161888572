"""NOT NULL without reading the table under a lock."""

from __future__ import annotations

import pytest

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    SetNotNull,
    State,
    abort,
    backfill,
    change,
    complete,
    start,
    verify,
)
from support import rows

WISH = SetNotNull("public.t", "a")
IS_NOT_NULL = "SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'"


@pytest.fixture
def settings(url: str) -> Settings:
    rows(url, "CREATE TABLE t (id integer PRIMARY KEY, a integer)")
    rows(url, "INSERT INTO t SELECT i, i FROM generate_series(1, 100) AS i")
    return resolve_settings(url)


def test_a_column_becomes_not_null_and_a_second_run_does_nothing(url: str, settings: Settings) -> None:
    made = change(WISH, settings=settings)
    assert (made.state, rows(url, IS_NOT_NULL)) == (State.COMPLETED, [(True,)])
    assert change(WISH, settings=settings) == made


def test_an_aborted_change_leaves_nothing_and_may_be_started_again(url: str, settings: Settings) -> None:
    before = rows(url, "SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1")
    start(WISH, settings=settings)
    assert abort(WISH, settings=settings).state is State.ABORTED
    assert rows(url, "SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1") == before
    for verb in (start, backfill, verify, complete):
        made = verb(WISH, settings=settings)
    assert (made.state, rows(url, IS_NOT_NULL)) == (State.COMPLETED, [(True,)])


def test_rows_without_a_value_are_counted_and_nothing_is_contracted(url: str, settings: Settings) -> None:
    rows(url, "INSERT INTO t VALUES (101, NULL), (102, NULL)")
    with pytest.raises(TableError, match=r'2 rows of "public\.t" have no value in "a"'):
        change(WISH, settings=settings)
    with pytest.raises(TableError, match="not all of verify is done"):
        complete(WISH, settings=settings)
