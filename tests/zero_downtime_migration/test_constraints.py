"""Checks and keys without reading the table under a lock that others wait for."""

from __future__ import annotations

import json
import re

import pytest
from zero_downtime_migration.walked import Walk, settings, straight, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    AddCheck,
    AddExclusion,
    AddPrimaryKey,
    AddUnique,
    State,
    change,
    plan,
)
from support import Databases, rows

CHECK, UNIQUE = AddCheck("shop.t", "a > 0"), AddUnique("shop.t", ("a",))
MADE = (
    "CREATE TABLE shop.t (id integer, a integer, b text);"
    " INSERT INTO shop.t SELECT i, i, i::text FROM generate_series(1, 100) AS i"
)
PARTS = (
    "CREATE TABLE shop.p (id integer, a integer) PARTITION BY RANGE (id);"
    " CREATE TABLE shop.p1 PARTITION OF shop.p FOR VALUES FROM (0) TO (100);"
    " CREATE TABLE shop.p2 PARTITION OF shop.p FOR VALUES FROM (100) TO (300);"
    " INSERT INTO shop.p SELECT i, i FROM generate_series(1, 250) AS i"
)


def lives(url: str) -> None:
    rows(url, "INSERT INTO shop.t VALUES (1000, 1000, 'x'); DELETE FROM shop.t WHERE id = 1000")


def lives_in_parts(url: str) -> None:
    rows(url, "INSERT INTO shop.p VALUES (251, 251), (0, 1); DELETE FROM shop.p WHERE id IN (0, 251)")


def test_killed_anywhere_a_check_is_added(databases: Databases, ledger: str) -> None:
    url = walked(
        databases,
        ledger,
        Walk(
            made=MADE,
            wish=AddCheck("shop.t", "a > 0 AND b <> '{x}%s'", comment="it's one"),
            plain="ALTER TABLE shop.t ADD CONSTRAINT t_a_b_check CHECK (a > 0 AND b <> '{x}%s');"
            " COMMENT ON CONSTRAINT t_a_b_check ON shop.t IS 'it''s one'",
            content="SELECT * FROM shop.t ORDER BY id",
            lives=lives,
        ),
    )
    rows(url, "INSERT INTO shop.t VALUES (0, 200, 'x')")
    with pytest.raises(TableError, match=r"1 rows of .* do not meet"):
        change(AddCheck("shop.t", "id > 0"), settings=settings(url))


def test_a_check_of_a_partitioned_table_is_validated_part_by_part(databases: Databases, ledger: str) -> None:
    walked(
        databases,
        ledger,
        Walk(
            made=PARTS,
            wish=AddCheck("shop.p", "a > 0"),
            plain="ALTER TABLE shop.p ADD CONSTRAINT p_a_check CHECK (a > 0)",
            content="SELECT * FROM shop.p ORDER BY id",
            lives=lives_in_parts,
        ),
    )


def test_killed_anywhere_columns_become_unique(databases: Databases, ledger: str) -> None:
    walked(
        databases,
        ledger,
        Walk(
            made=MADE,
            wish=AddUnique(
                "shop.t",
                ("a", "b"),
                include=("id",),
                nulls_not_distinct=True,
                deferrable="deferred",
                comment="two",
            ),
            plain="ALTER TABLE shop.t ADD CONSTRAINT t_a_b_key UNIQUE NULLS NOT DISTINCT (a, b) INCLUDE (id)"
            " DEFERRABLE INITIALLY DEFERRED; COMMENT ON CONSTRAINT t_a_b_key ON shop.t IS 'two'",
            content="SELECT * FROM shop.t ORDER BY id",
            lives=lives,
        ),
    )


def seen(thing: SchemaObject) -> object:
    """All but where a part has it from, which PostgreSQL writes in another way when it was there before the whole."""
    if thing.kind != "constraint" or not re.search("UNIQUE|PRIMARY KEY|NOT NULL", thing.definition):
        return thing
    said = json.loads(thing.definition)
    return (thing.identity, *said[:4], str(said[6:]))


def test_a_unique_key_of_a_partitioned_table_is_put_together(databases: Databases, ledger: str) -> None:
    straight(
        databases,
        ledger,
        Walk(
            made=PARTS,
            wish=AddUnique("shop.p", ("a", "id"), comment="c"),
            plain="ALTER TABLE shop.p ADD CONSTRAINT p_a_id_key UNIQUE (a, id);"
            " COMMENT ON CONSTRAINT p_a_id_key ON shop.p IS 'c'",
            content="SELECT * FROM shop.p ORDER BY id",
            seen=seen,
        ),
    )


def test_a_primary_key_of_a_partitioned_table_is_put_together(databases: Databases, ledger: str) -> None:
    walked(
        databases,
        ledger,
        Walk(
            made=PARTS,
            wish=AddPrimaryKey("shop.p", ("id",)),
            plain="ALTER TABLE shop.p ALTER COLUMN id SET NOT NULL; ALTER TABLE shop.p ADD PRIMARY KEY (id)",
            content="SELECT * FROM shop.p ORDER BY id",
            lives=lives_in_parts,
            seen=seen,
        ),
    )


def test_killed_anywhere_a_primary_key_is_added_to_nullable_columns(
    databases: Databases, ledger: str
) -> None:
    url = walked(
        databases,
        ledger,
        Walk(
            made=MADE,
            wish=AddPrimaryKey("shop.t", ("id", "b"), comment="key"),
            plain="ALTER TABLE shop.t ADD PRIMARY KEY (id, b); COMMENT ON CONSTRAINT t_pkey ON shop.t IS 'key'",
            content="SELECT * FROM shop.t ORDER BY id",
            lives=lives,
        ),
    )
    with pytest.raises(TableError, match='has the primary key "t_pkey" already'):
        plan(AddPrimaryKey("shop.t", ("a",), name="other"), settings=settings(url))


def test_what_cannot_be_unique_is_refused_and_names_no_value(ledger_url: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, MADE + "; INSERT INTO shop.t VALUES (1, 77777, 'x'), (2, 77777, 'x')")
    rows(ledger_url, PARTS)
    given = settings(ledger_url)
    with pytest.raises(TableError, match=r'1 keys of "shop\.t" \(a, b\) are there more than once') as refused:
        change(AddUnique("shop.t", ("a", "b")), settings=given)
    assert "77777" not in str(refused.value)
    with pytest.raises(TableError, match='is partitioned by "id"'):
        plan(AddUnique("shop.p", ("a",)), settings=given)
    with pytest.raises(TableError, match="has no column"):
        plan(AddUnique("shop.t", ("c",)), settings=given)


def test_what_is_there_already_is_gone_on_from(ledger_url: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, MADE + "; ALTER TABLE shop.t ADD CONSTRAINT t_a_check CHECK (a > 0) NOT VALID")
    rows(ledger_url, "CREATE UNIQUE INDEX t_a_key ON shop.t (a); CREATE TABLE shop.b_key ()")
    given = settings(ledger_url)
    named = [[step.name for step in plan(wish, settings=given).steps] for wish in (CHECK, UNIQUE)]
    assert named == [
        ["look for rows that do not meet it", "validate t_a_check of shop.t"],
        ["make the constraint of the index"],
    ]
    for wish in (CHECK, UNIQUE):
        assert change(wish, settings=given).state is State.COMPLETED
        assert plan(wish, settings=given).steps == ()
    with pytest.raises(TableError, match=r'the constraint "t_a_check" is another one: CHECK \(\(a > 0\)\)'):
        plan(AddCheck("shop.t", "a > 1"), settings=given)
    with pytest.raises(TableError, match="give it another name"):
        plan(AddUnique("shop.t", ("b",), name="b_key"), settings=given)
    with pytest.raises(TableError, match='no constraint is "later"'):
        plan(AddUnique("shop.t", ("b",), deferrable="later"), settings=given)


def test_an_exclusion_is_refused_with_what_can_be_done(ledger_url: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop; CREATE TABLE shop.t (a integer, r int4range)")
    given = settings(ledger_url)
    with pytest.raises(TableError, match="swap_table"):
        plan(AddExclusion("shop.t", "t_r_excl", "EXCLUDE USING gist (r WITH &&)"), settings=given)
    with pytest.raises(TableError, match="AddUnique"):
        plan(AddExclusion("shop.t", "t_a_excl", "EXCLUDE (a WITH =)"), settings=given)
    rows(ledger_url, "ALTER TABLE shop.t ADD CONSTRAINT t_r_excl EXCLUDE USING gist (r WITH &&)")
    wish = AddExclusion("shop.t", "t_r_excl", "EXCLUDE USING gist (r WITH &&)")
    assert change(wish, settings=given).state is State.COMPLETED
