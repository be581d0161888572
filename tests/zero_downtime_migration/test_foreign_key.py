"""Foreign keys whose rows are looked at while others write, of and to partitioned tables too."""

from __future__ import annotations

import json
import re

import pytest
from zero_downtime_migration.walked import Walk, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject
from spotify_ai_agent_migrations.versions.zero_downtime_migration import AddForeignKey, change, plan
from support import Databases, rows

MADE = (
    "CREATE TABLE shop.r (id integer, b integer, PRIMARY KEY (id, b));"
    " INSERT INTO shop.r SELECT i, i FROM generate_series(1, 100) AS i;"
    " CREATE TABLE shop.t (id integer PRIMARY KEY, a integer, b integer);"
    " CREATE INDEX ON shop.t (b, a);"
    " INSERT INTO shop.t SELECT i, i, i FROM generate_series(1, 100) AS i"
)
PARTS = (
    "CREATE TABLE shop.r (id integer PRIMARY KEY) PARTITION BY RANGE (id);"
    " CREATE TABLE shop.r1 PARTITION OF shop.r FOR VALUES FROM (0) TO (100);"
    " CREATE TABLE shop.r2 PARTITION OF shop.r FOR VALUES FROM (100) TO (300);"
    " INSERT INTO shop.r SELECT i FROM generate_series(1, 250) AS i;"
    " CREATE TABLE shop.p (id integer, a integer) PARTITION BY RANGE (id);"
    " CREATE TABLE shop.p1 PARTITION OF shop.p FOR VALUES FROM (0) TO (100);"
    " CREATE TABLE shop.p2 PARTITION OF shop.p FOR VALUES FROM (100) TO (300);"
    " CREATE INDEX ON shop.p (a);"
    " INSERT INTO shop.p SELECT i, i FROM generate_series(1, 250) AS i"
)


def lives(url: str) -> None:
    rows(url, "INSERT INTO shop.t VALUES (1000, 1, 1); DELETE FROM shop.t WHERE id = 1000")
    rows(url, "INSERT INTO shop.r VALUES (1000, 1); DELETE FROM shop.r WHERE id = 1000")


def lives_in_parts(url: str) -> None:
    rows(url, "INSERT INTO shop.p VALUES (251, 250), (0, 1); DELETE FROM shop.p WHERE id IN (0, 251)")


def test_killed_anywhere_a_foreign_key_is_added(databases: Databases, ledger: str) -> None:
    url = walked(
        databases,
        ledger,
        Walk(
            made=MADE,
            wish=AddForeignKey(
                "shop.t",
                ("a", "b"),
                "shop.r",
                on_delete="SET NULL",
                full=True,
                deferrable="deferred",
                comment="%s",
            ),
            plain="ALTER TABLE shop.t ADD CONSTRAINT t_a_b_fkey FOREIGN KEY (a, b) REFERENCES shop.r MATCH FULL"
            " ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED; COMMENT ON CONSTRAINT t_a_b_fkey ON shop.t IS '%s'",
            content="SELECT * FROM shop.t ORDER BY id",
            lives=lives,
        ),
    )
    with pytest.raises(TableError, match=r'the foreign key "t_a_b_fkey" of "shop\.t" is another one'):
        plan(AddForeignKey("shop.t", ("a", "b"), "shop.r", name="t_a_b_fkey"), settings=settings(url))


def seen(thing: SchemaObject) -> object:
    """All but where a part has it from, and what is kept of each referenced partition.

    Before PostgreSQL 18 VALIDATE does not mark the latter.
    """
    if thing.kind != "constraint" or "REFERENCES" not in thing.definition:
        return thing
    said = json.loads(thing.definition)
    return None if re.search(r"REFERENCES shop\.r\d", said[0]) else (thing.identity, *said[:4], str(said[6:]))


def test_of_and_to_partitioned_tables_it_is_validated_part_by_part(databases: Databases, ledger: str) -> None:
    walked(
        databases,
        ledger,
        Walk(
            made=PARTS,
            wish=AddForeignKey("shop.p", ("a",), "shop.r", on_update="CASCADE", comment="c"),
            plain="ALTER TABLE shop.p ADD FOREIGN KEY (a) REFERENCES shop.r ON UPDATE CASCADE;"
            " COMMENT ON CONSTRAINT p_a_fkey ON shop.p IS 'c'",
            content="SELECT * FROM shop.p ORDER BY id",
            lives=lives_in_parts,
            seen=seen,
        ),
    )


def test_what_a_foreign_key_needs_is_asked_for_first(ledger_url: str) -> None:
    given = settings(ledger_url)
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(
        ledger_url,
        MADE + "; ALTER TABLE shop.t ADD c bigint; CREATE TABLE shop.n (id integer UNIQUE, v varchar(9))",
    )
    rows(ledger_url, "CREATE INDEX ON shop.t (a) WHERE a > 1; INSERT INTO shop.t VALUES (101, 77777)")
    with pytest.raises(TableError, match=r'"shop.t" has no index on \(a\)') as refused:
        plan(AddForeignKey("shop.t", ("a",), "shop.n", ("id",)), settings=given)
    assert "CreateIndex(\"shop.t\", ('a',)) builds it" in refused.value.hint
    with pytest.raises(TableError, match=r'"c" of "shop\.t" is bigint, "id" of "shop\.n" is integer'):
        plan(AddForeignKey("shop.t", ("c",), "shop.n", ("id",)), settings=given)
    with pytest.raises(TableError, match=r'"shop.r" is not unique in \(id\)'):
        plan(AddForeignKey("shop.t", ("a",), "shop.r", ("id",)), settings=given)
    with pytest.raises(TableError, match=r'"shop\.n" has no primary key'):
        plan(AddForeignKey("shop.t", ("a",), "shop.n"), settings=given)
    with pytest.raises(TableError, match="of 1 columns cannot refer to 2"):
        plan(AddForeignKey("shop.t", ("a",), "shop.r"), settings=given)
    wish = AddForeignKey("shop.t", ("a",), "shop.n", ("id",), without_index=True)
    with pytest.raises(
        TableError, match=r'101 rows of "shop.t" refer with \(a\) to no row of "shop.n"'
    ) as lost:
        change(wish, settings=given)
    assert "77777" not in str(lost.value)
