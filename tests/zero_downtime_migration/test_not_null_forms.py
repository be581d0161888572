"""NOT NULL where something of it is there already, on partitions, and by the name the server gives."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import differences, schema, settings

from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    SetNotNull,
    State,
    abort,
    change,
    start,
)
from support import Databases, connected, rows

LONG = "l" * 62 + "1"
WISH = SetNotNull("shop.t", "a")
IS_NOT_NULL = (
    "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'a' AND attnotnull ORDER BY 1"
)


def made_and_plain(databases: Databases, ledger: str, scene: str, plain: str) -> tuple[str, str]:
    """Return the URLs of two databases with a scene, in the second of which the plain statement was executed."""
    made, other = (databases.url(databases.create(ledger)) for _ in range(2))
    for url in (made, other):
        rows(url, f"CREATE SCHEMA shop; {scene}")
    rows(other, plain)
    return made, other


@pytest.mark.parametrize("valid", ["", "NOT VALID"])
def test_a_check_that_says_it_already_is_used_and_stays(
    databases: Databases, ledger: str, valid: str
) -> None:
    scene = (
        "CREATE TABLE shop.t (id integer PRIMARY KEY, a integer); INSERT INTO shop.t VALUES (1, 1);"
        f"ALTER TABLE shop.t ADD CONSTRAINT mine CHECK (a IS NOT NULL) {valid}"
    )
    plain = "ALTER TABLE shop.t ALTER COLUMN a SET NOT NULL; ALTER TABLE shop.t VALIDATE CONSTRAINT mine"
    url, other = made_and_plain(databases, ledger, scene, plain)
    made = change(WISH, settings=settings(url))
    assert [step.name for step in made.steps][-1] == "set NOT NULL, which the check proves"
    assert len(made.steps) == (3 if valid else 1)
    assert differences(url, other) == []


def test_a_check_that_an_earlier_try_has_left_goes_in_the_end(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer PRIMARY KEY, a integer);"
        "ALTER TABLE shop.t ADD CONSTRAINT t_a_not_null_check CHECK (a IS NOT NULL) NOT VALID",
    )
    change(WISH, settings=settings(ledger_url))
    assert rows(ledger_url, IS_NOT_NULL) == [("shop.t",)]
    assert rows(ledger_url, "SELECT FROM pg_constraint WHERE conname = 't_a_not_null_check'") == []


def test_partitions_domains_and_names_are_as_the_plain_statement_makes_them(
    databases: Databases, ledger: str
) -> None:
    scene = f"""
    CREATE DOMAIN shop.d AS integer CHECK (value > 0);
    CREATE TABLE shop.t (id integer, a shop.d) PARTITION BY RANGE (id);
    CREATE TABLE shop.t1 PARTITION OF shop.t FOR VALUES FROM (0) TO (10);
    CREATE TABLE shop.t2 PARTITION OF shop.t (a NOT NULL) FOR VALUES FROM (10) TO (20);
    INSERT INTO shop.t SELECT i, i FROM generate_series(1, 19) AS i;
    CREATE TABLE shop."{LONG}" ("{LONG}" integer);
    CREATE TABLE shop."Odd; %" ("%s {{0}}" integer, CONSTRAINT t_a_not_null CHECK ("%s {{0}}" > 0));
    """
    plain = f"""
    ALTER TABLE shop.t ALTER COLUMN a SET NOT NULL;
    ALTER TABLE shop."{LONG}" ALTER COLUMN "{LONG}" SET NOT NULL;
    ALTER TABLE shop."Odd; %" ALTER COLUMN "%s {{0}}" SET NOT NULL;
    """
    url, other = made_and_plain(databases, ledger, scene, plain)
    for table, column in (("t", "a"), (LONG, LONG), ("Odd; %", "%s {0}")):
        wish = SetNotNull(f'shop."{table}"', column)
        before = schema(url)
        start(wish, settings=settings(url))
        abort(wish, settings=settings(url))
        assert schema(url) == before
        assert change(wish, settings=settings(url)).state is State.COMPLETED
    assert rows(url, IS_NOT_NULL) == [("shop.t",), ("shop.t1",), ("shop.t2",)]
    assert differences(url, other) == []


def test_a_constraint_that_was_never_validated_is(databases: Databases, ledger: str) -> None:
    url = databases.url(databases.create(ledger))
    with connected(url) as connection:
        if connection.server_version < 180_000:
            pytest.skip("NOT NULL is valid from the start before PostgreSQL 18")
    rows(url, "CREATE SCHEMA shop; CREATE TABLE shop.t (a integer)")
    rows(url, "ALTER TABLE shop.t ADD CONSTRAINT mine NOT NULL a NOT VALID")
    assert rows(url, "SELECT convalidated FROM pg_constraint WHERE conname = 'mine'") == [(False,)]
    assert change(WISH, settings=settings(url)).state is State.COMPLETED
    assert rows(url, "SELECT convalidated FROM pg_constraint WHERE conname = 'mine'") == [(True,)]
    assert change(WISH, settings=settings(url)).state is State.COMPLETED
