"""An index that nobody waits for."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import Walk, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    CreateIndex,
    Manner,
    RenameColumn,
    State,
    abort,
    change,
    plan,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from support import Databases, rows

ODD = """shop."Ta""b %s {x}\""""
MADE = (
    "CREATE TABLE shop.t (id integer PRIMARY KEY, a integer, b text);"
    " INSERT INTO shop.t SELECT i, i, i::text FROM generate_series(1, 100) AS i"
)
PARTS = (
    "CREATE TABLE shop.p (id integer NOT NULL, a integer) PARTITION BY RANGE (id);"
    " CREATE TABLE shop.p1 PARTITION OF shop.p FOR VALUES FROM (0) TO (100);"
    " CREATE TABLE shop.p2 PARTITION OF shop.p FOR VALUES FROM (100) TO (300) PARTITION BY RANGE (id);"
    " CREATE TABLE shop.p20 PARTITION OF shop.p2 FOR VALUES FROM (100) TO (200);"
    " CREATE TABLE shop.p21 PARTITION OF shop.p2 FOR VALUES FROM (200) TO (300);"
    " CREATE INDEX was_there ON shop.p20 (a);"
    " INSERT INTO shop.p SELECT i, i FROM generate_series(1, 250) AS i"
)
VALID = (
    "SELECT relname::text FROM pg_index JOIN pg_class ON oid = indexrelid"
    " WHERE indisvalid AND relnamespace = 'shop'::regnamespace AND relname ~ 'idx' ORDER BY 1"
)


def lives(url: str) -> None:
    rows(url, "INSERT INTO shop.t VALUES (1000, 1); DELETE FROM shop.t WHERE id = 1000")


def lives_in_parts(url: str) -> None:
    rows(url, "INSERT INTO shop.p VALUES (150, 1000), (50, 1000); DELETE FROM shop.p WHERE a = 1000")


def test_killed_anywhere_the_index_is_built_as_it_was_defined(databases: Databases, ledger: str) -> None:
    walked(
        databases,
        ledger,
        Walk(
            made=MADE,
            wish=CreateIndex(
                "shop.t",
                keys="lower(b) text_pattern_ops, a DESC NULLS LAST",
                unique=True,
                include=("id",),
                where="a > 10",
                nulls_not_distinct=True,
                storage="fillfactor = 70",
                comment="it's odd: %s {x}",
            ),
            plain="CREATE UNIQUE INDEX t_lower_a_id_idx ON shop.t (lower(b) text_pattern_ops, a DESC NULLS LAST)"
            " INCLUDE (id) NULLS NOT DISTINCT WITH (fillfactor = 70) WHERE a > 10;"
            " COMMENT ON INDEX shop.t_lower_a_id_idx IS 'it''s odd: %s {x}'",
            content="SELECT * FROM shop.t ORDER BY id",
            lives=lives,
        ),
    )


def test_a_partitioned_table_gets_it_part_by_part(databases: Databases, ledger: str) -> None:
    walked(
        databases,
        ledger,
        Walk(
            made=PARTS,
            wish=CreateIndex("shop.p", ("a",)),
            plain="CREATE INDEX p_a_idx ON shop.p (a)",
            content="SELECT * FROM shop.p ORDER BY id",
            lives=lives_in_parts,
        ),
    )


def test_odd_names_are_quoted(ledger_url: str) -> None:
    rows(ledger_url, f'CREATE SCHEMA shop; CREATE TABLE {ODD} ("a ""b%" integer)')
    wish = CreateIndex(ODD, ('a "b%',), unique=True)
    assert change(wish, settings=settings(ledger_url)).state is State.COMPLETED
    assert rows(ledger_url, VALID) == [('Ta"b %s {x}_a "b%_idx',)]
    rows(ledger_url, f'DROP INDEX shop."Ta""b %s {{x}}_a ""b%_idx"; INSERT INTO {ODD} VALUES (1), (1)')
    with pytest.raises(TableError, match=r"1 keys of .* are there more than once"):
        change(wish, settings=settings(ledger_url))


def test_what_a_failed_build_has_left_is_removed_and_never_passes_for_the_index(ledger_url: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, MADE + "; UPDATE shop.t SET a = 1 WHERE id = 2")
    for name in ("t_a_idx", "t_a_idx_ccnew"):
        with pytest.raises(Exception, match="could not create unique index"):
            rows(ledger_url, f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON shop.t (a)")
    wish = CreateIndex("shop.t", ("a",), unique=True)
    with pytest.raises(TableError, match=r'1 keys of "shop\.t" \(a\)') as refused:
        change(wish, settings=settings(ledger_url))
    assert "SELECT a, count(*) FROM" in refused.value.hint
    rows(ledger_url, "UPDATE shop.t SET a = 2 WHERE id = 2")
    assert change(wish, settings=settings(ledger_url)).state is State.COMPLETED
    assert rows(ledger_url, VALID) == [("t_a_idx",)]


def test_another_index_of_that_name_is_refused(ledger_url: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, MADE + "; CREATE INDEX t_a_idx ON shop.t (a) WHERE a > 1; CREATE TABLE shop.t_b_idx ()")
    given = settings(ledger_url)
    with pytest.raises(
        TableError, match=r'"shop\.t_a_idx" is another one: USING btree \(a\) WHERE \(a > 1\)'
    ):
        plan(CreateIndex("shop.t", ("a",)), settings=given)
    with pytest.raises(TableError, match="give it another name"):
        plan(CreateIndex("shop.t", ("b",)), settings=given)
    with pytest.raises(TableError, match=r'PostgreSQL refuses the index on .*: column "c" does not exist'):
        plan(CreateIndex("shop.t", keys="c"), settings=given)
    with pytest.raises(TableError, match="of columns or of keys"):
        plan(CreateIndex("shop.t"), settings=given)
    assert plan(CreateIndex("shop.t", ("a",), where="a > 1"), settings=given).steps == ()


@pytest.mark.parametrize(
    "wish", [CreateIndex("public.t", ("a",), name="taken"), RenameColumn("public.t", "a", "b")]
)
def test_an_index_that_somebody_else_makes_meanwhile_is_left_to_them(ledger_url: str, wish: Wish) -> None:
    rows(ledger_url, "CREATE TABLE t (id integer PRIMARY KEY, a integer); CREATE TABLE u (a integer)")
    rows(ledger_url, "CREATE INDEX t_a_idx ON t (a)")
    called: list[str] = []

    def told(step: Step, moment: str) -> None:
        if step.name.startswith("build the index ") and moment == "begun":
            called.append(step.name.removeprefix("build the index "))
            rows(ledger_url, f"CREATE INDEX {called[0].rpartition('.')[2]} ON u (a)")

    given = settings(ledger_url)
    with pytest.raises(DatabaseError, match="already exists"):
        change(wish, settings=given, manner=Manner(told=told))
    assert abort(wish, settings=given).state is State.ABORTED
    assert rows(
        ledger_url,
        f"SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = '{called[0]}'::regclass",
    ) == [("u",)]
