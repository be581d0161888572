"""A column may be NULL, and an abort makes it NOT NULL again without reading the table under a lock."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import Walk, schema, settings, walked

from spotify_ai_agent_migrations import MigrationError, TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import DropNotNull, abort, start
from support import Databases, connected, rows

SCENE = """
CREATE TABLE shop.t (id integer PRIMARY KEY, a integer NOT NULL, b integer NOT NULL);
INSERT INTO shop.t SELECT i, i, i FROM generate_series(1, 20) AS i;
"""
WISH = DropNotNull("shop.t", "a")


def lives(url: str) -> None:
    rows(url, "INSERT INTO shop.t VALUES (1000, 1, 1); DELETE FROM shop.t WHERE id = 1000")


def test_killed_anywhere_the_column_may_be_null(databases: Databases, ledger: str) -> None:
    plain = "ALTER TABLE shop.t ALTER COLUMN a DROP NOT NULL"
    walked(databases, ledger, Walk(SCENE, WISH, plain, "SELECT * FROM shop.t ORDER BY id", lives))


def test_an_abort_waits_for_rows_without_a_value_and_goes_on_from_there(ledger_url: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, SCENE)
    given = settings(ledger_url)
    with connected(ledger_url) as connection:
        newer = connection.server_version >= 180_000
    if newer:
        rows(
            ledger_url,
            'ALTER TABLE shop.t RENAME CONSTRAINT t_a_not_null TO "Odd; %"; '
            "COMMENT ON CONSTRAINT \"Odd; %\" ON shop.t IS 'why'",
        )
    before = schema(ledger_url)
    start(WISH, settings=given)
    rows(ledger_url, "INSERT INTO shop.t VALUES (1000, NULL, 1)")
    with pytest.raises(MigrationError, match=r"null values|is violated"):
        abort(WISH, settings=given)
    # What was taken back holds already for what is written.
    with pytest.raises(Exception, match="violates"):
        rows(ledger_url, "INSERT INTO shop.t VALUES (1001, NULL, 1)")
    rows(ledger_url, "DELETE FROM shop.t WHERE id = 1000")
    abort(WISH, settings=given)
    assert schema(ledger_url) == before


def test_what_holds_a_column_not_null_is_named(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer PRIMARY KEY, i integer GENERATED ALWAYS AS IDENTITY,"
        " r integer NOT NULL CONSTRAINT t_r_key UNIQUE, p integer NOT NULL);"
        "ALTER TABLE shop.t REPLICA IDENTITY USING INDEX t_r_key;"
        "CREATE TABLE shop.heir () INHERITS (shop.t)",
    )
    for table, column, reason in (
        ("shop.t", "id", "it is of the primary key"),
        ("shop.t", "i", "it is an identity"),
        ("shop.t", "r", "rows are told apart by it for replication"),
        ("shop.heir", "p", "it is NOT NULL in shop.t, which the table inherits from"),
    ):
        with pytest.raises(TableError, match=f'"{column}" of "{table}" has to be NOT NULL: {reason}'):
            start(DropNotNull(table, column), settings=settings(ledger_url))
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_change") == [(0,)]
