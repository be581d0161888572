"""NOT NULL without reading the table under a lock."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import Walk, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import SetNotNull, change, complete
from support import Databases, rows


def lives(url: str) -> None:
    rows(url, "INSERT INTO shop.t VALUES (1000, 1); DELETE FROM shop.t WHERE id = 1000")


WALK = Walk(
    made="CREATE TABLE shop.t (id integer PRIMARY KEY, a integer);"
    " INSERT INTO shop.t SELECT i, i FROM generate_series(1, 100) AS i",
    wish=SetNotNull("shop.t", "a"),
    plain="ALTER TABLE shop.t ALTER COLUMN a SET NOT NULL",
    content="SELECT * FROM shop.t ORDER BY id",
    lives=lives,
)


def test_killed_anywhere_the_column_becomes_not_null(databases: Databases, ledger: str) -> None:
    walked(databases, ledger, WALK)


def test_rows_without_a_value_are_counted_and_nothing_is_contracted(ledger_url: str) -> None:
    rows(ledger_url, "CREATE TABLE t (id integer PRIMARY KEY, a integer)")
    rows(ledger_url, "INSERT INTO t VALUES (101, NULL), (102, NULL)")
    wish = SetNotNull("public.t", "a")
    with pytest.raises(TableError, match=r'2 rows of "public\.t" have no value in "a"'):
        change(wish, settings=settings(ledger_url))
    with pytest.raises(TableError, match="not all of verify is done"):
        complete(wish, settings=settings(ledger_url))
