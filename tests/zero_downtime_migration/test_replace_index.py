"""Indexes that are replaced, built anew and dropped under those who use them."""

from __future__ import annotations

from functools import partial

import pytest
from zero_downtime_migration.walked import Walk, killed_everywhere, settings, straight, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    DropIndex,
    RebuildIndex,
    ReplaceIndex,
    State,
    change,
    plan,
)
from support import Databases, rows

MADE = (
    "CREATE TABLE shop.t (id integer PRIMARY KEY, a integer, b integer NOT NULL UNIQUE);"
    ' CREATE INDEX "t ""%s_idx" ON shop.t (a); COMMENT ON INDEX shop."t ""%s_idx" IS \'why\';'
    " INSERT INTO shop.t SELECT i, i, i FROM generate_series(1, 100) AS i;"
    " CREATE TABLE shop.p (id integer, a integer, b integer) PARTITION BY RANGE (id);"
    " CREATE TABLE shop.p1 PARTITION OF shop.p FOR VALUES FROM (0) TO (100);"
    " CREATE INDEX p_a_idx ON shop.p (a)"
)
NAME = 't "%s_idx'


def lives(url: str) -> None:
    rows(url, "INSERT INTO shop.t VALUES (1000, 1, 1000); DELETE FROM shop.t WHERE id = 1000")
    # There is one to read by at every moment.
    plans = "SET LOCAL enable_seqscan = off; EXPLAIN SELECT FROM shop.t WHERE a = 1"
    assert "Index" in str(rows(url, plans))


def walk(wish: ReplaceIndex | DropIndex, plain: str) -> Walk:
    return Walk(made=MADE, wish=wish, plain=plain, content="SELECT * FROM shop.t ORDER BY id")


def test_an_index_is_replaced_and_one_is_there_at_every_moment(databases: Databases, ledger: str) -> None:
    wish = ReplaceIndex("shop.t", ("a", "b"), name=NAME, unique=True)
    plain = (
        'DROP INDEX shop."t ""%s_idx"; CREATE UNIQUE INDEX "t ""%s_idx" ON shop.t (a, b);'
        ' COMMENT ON INDEX shop."t ""%s_idx" IS \'why\''
    )
    walked(
        databases,
        ledger,
        Walk(made=MADE, wish=wish, plain=plain, content="SELECT * FROM shop.t ORDER BY id", lives=lives),
    )


def test_an_index_of_a_partitioned_table_is_replaced_when_all_at_once_is_allowed(
    databases: Databases, ledger: str
) -> None:
    wish = ReplaceIndex("shop.p", ("b",), name="p_a_idx", at_once=True)
    url = straight(
        databases, ledger, walk(wish, "DROP INDEX shop.p_a_idx; CREATE INDEX p_a_idx ON shop.p (b)")
    )
    with pytest.raises(
        TableError, match="can only be dropped whole: that locks the table and its 1 partitions"
    ):
        plan(DropIndex("shop.p", "p_a_idx"), settings=settings(url))
    with pytest.raises(TableError, match=r'is a part of "shop\.p_a_idx"'):
        plan(DropIndex("shop.p1", "p1_b_idx"), settings=settings(url))
    assert (
        change(DropIndex("shop.p", "p_a_idx", at_once=True), settings=settings(url)).state is State.COMPLETED
    )
    assert rows(url, "SELECT to_regclass('shop.p_a_idx'), to_regclass('shop.p1_b_idx')") == [(None, None)]


def test_an_index_is_dropped_unless_something_needs_it(databases: Databases, ledger: str) -> None:
    url = walked(databases, ledger, walk(DropIndex("shop.t", NAME), 'DROP INDEX shop."t ""%s_idx"'))
    given = settings(url)
    with pytest.raises(TableError, match='is that of the constraint "t_pkey"'):
        plan(DropIndex("shop.t", "t_pkey"), settings=given)
    rows(url, "CREATE UNIQUE INDEX u ON shop.t (a); CREATE TABLE shop.f (a integer REFERENCES shop.t (a))")
    with pytest.raises(TableError, match=r"the foreign key f_a_fkey of shop\.f needs the index"):
        plan(DropIndex("shop.t", "u"), settings=given)
    rows(url, "DROP TABLE shop.f; ALTER TABLE shop.t REPLICA IDENTITY USING INDEX t_b_key")
    with pytest.raises(TableError, match='has no index "gone"'):
        plan(ReplaceIndex("shop.t", ("a",), name="gone"), settings=given)


def test_an_index_is_built_anew_and_what_reindex_leaves_is_removed(databases: Databases, ledger: str) -> None:
    url = databases.url(databases.create(ledger))
    rows(url, "CREATE SCHEMA shop")
    rows(url, MADE)
    before = rows(url, "SELECT 'shop.t_pkey'::regclass::oid")
    rows(url, 'UPDATE pg_index SET indisvalid = false WHERE indexrelid = \'shop."t ""%s_idx"\'::regclass')
    rows(url, "CREATE INDEX t_pkey_ccnew ON shop.t (a)")
    rows(url, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.t_pkey_ccnew'::regclass")
    for wish in (
        RebuildIndex("shop.t", "t_pkey"),
        RebuildIndex("shop.p", "p_a_idx"),
        RebuildIndex("shop.t", NAME),
    ):
        work = partial(change, wish, settings=settings(url))
        assert killed_everywhere(url, work, lambda _url: None) > 1
    assert rows(url, "SELECT 'shop.t_pkey'::regclass::oid") != before
    lives(url)
    left = "SELECT FROM pg_class WHERE relname ~ '_cc(new|old)'"
    assert (rows(url, left), rows(url, "SELECT FROM pg_index WHERE NOT indisvalid")) == ([], [])
