"""A column is left out, put away, and dropped; until then it comes back as it was."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import Walk, build, schema, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    DropColumn,
    State,
    abort,
    backfill,
    change,
    complete,
    start,
    verify,
)
from support import Databases, rows

ODD = 'Odd; "name%" {0}'
SCENE = """
CREATE TABLE shop.other (id integer PRIMARY KEY);
INSERT INTO shop.other SELECT i FROM generate_series(1, 50) AS i;
CREATE TABLE shop.t (
    id integer PRIMARY KEY,
    a integer NOT NULL CONSTRAINT t_a_key UNIQUE CONSTRAINT t_a_fkey REFERENCES shop.other (id)
        CONSTRAINT t_a_check CHECK (a > 0),
    b text
);
CREATE INDEX t_lower_idx ON shop.t (b) WHERE a > 10;
CREATE INDEX t_b_idx ON shop.t (b);
COMMENT ON COLUMN shop.t.a IS 'what was';
GRANT SELECT (a), INSERT (a) ON shop.t TO agent_app;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN new.b := upper(new.b); RETURN new; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.touch();
INSERT INTO shop.t SELECT i, i, 'x' FROM generate_series(1, 40) AS i;
"""
WISH = DropColumn("shop.t", "a")
HAS = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.t'::regclass AND attname = 'a'"
CONTENT = "SELECT id, b, to_jsonb(t) ->> 'a' FROM shop.t AS t ORDER BY id"


def lives(url: str) -> None:
    """Old code writes the column until it is put away; new code leaves it out once that is started."""
    if rows(url, HAS) == [(1,)]:
        rows(url, "INSERT INTO shop.t (id, a) VALUES (1000, 50); DELETE FROM shop.t WHERE id = 1000")
    if rows(url, "SELECT count(*) FROM ops.online_step WHERE name = 'let it be NULL'") == [(1,)]:
        rows(url, "INSERT INTO shop.t (id, b) VALUES (1001, 'y'); DELETE FROM shop.t WHERE id = 1001")


def test_killed_anywhere_the_column_goes_with_what_is_its_own(databases: Databases, ledger: str) -> None:
    plain = "ALTER TABLE shop.t DROP COLUMN a"
    walked(databases, ledger, Walk(SCENE, WISH, plain, "SELECT id, b FROM shop.t ORDER BY id", lives))


def test_an_abort_gives_a_column_that_was_put_away_back_as_it_was(databases: Databases, ledger: str) -> None:
    url = build(databases, ledger, Walk(SCENE, WISH, "", ""))
    before, content = schema(url), rows(url, CONTENT)
    given = settings(url)
    kept = DropColumn("shop.t", "a", keep_days=1.5)
    for verb in (start, backfill, verify):
        verb(kept, settings=given)
    assert rows(url, HAS) == [(0,)]
    assert rows(url, "SELECT zz_dropped_a FROM shop.t WHERE id = 7") == [(7,)]
    with pytest.raises(TableError, match="the values of the column are kept until 2"):
        complete(kept, settings=given)
    assert abort(kept, settings=given).state is State.ABORTED
    assert (schema(url), rows(url, CONTENT)) == (before, content)


def test_a_column_that_may_not_be_null_gets_a_default(ledger_url: str) -> None:
    quoted = ODD.replace('"', '""')
    rows(
        ledger_url,
        f"""CREATE SCHEMA shop; CREATE DOMAIN shop.given AS integer NOT NULL;
        CREATE TABLE shop.t (id integer PRIMARY KEY, "{quoted}" integer CHECK ("{quoted}" IS NOT NULL), d shop.given)""",
    )
    given = settings(ledger_url)
    with pytest.raises(TableError, match=r"cannot be left out by new code: the check .* refuses NULL"):
        start(DropColumn("shop.t", ODD), settings=given)
    with pytest.raises(
        TableError, match=r"cannot be left out by new code: its type shop\.given refuses NULL"
    ):
        start(DropColumn("shop.t", "d"), settings=given)
    before = schema(ledger_url)
    for wish in (DropColumn("shop.t", ODD, default="0"), DropColumn("shop.t", "d", default="1")):
        start(wish, settings=given)
    rows(ledger_url, "INSERT INTO shop.t (id) VALUES (1)")
    for wish in (DropColumn("shop.t", ODD, default="0"), DropColumn("shop.t", "d", default="1")):
        abort(wish, settings=given)
        assert change(wish, settings=given).state is State.COMPLETED
    assert before != schema(ledger_url)
    assert rows(ledger_url, "SELECT * FROM shop.t") == [(1,)]


def test_numbers_and_expressions_need_no_writer_and_go_with_what_is_theirs(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer PRIMARY KEY, s serial, i integer GENERATED ALWAYS AS"
        " IDENTITY, g integer GENERATED ALWAYS AS (id + 1) STORED); INSERT INTO shop.t VALUES (1)",
    )
    given, before = settings(ledger_url), schema(ledger_url)
    for column in ("s", "i", "g"):
        for verb in (start, backfill, verify):
            verb(DropColumn("shop.t", column), settings=given)
        rows(ledger_url, "INSERT INTO shop.t (id) VALUES (2); DELETE FROM shop.t WHERE id = 2")
        abort(DropColumn("shop.t", column), settings=given)
    assert schema(ledger_url) == before
    for column in ("s", "i", "g"):
        assert change(DropColumn("shop.t", column), settings=given).state is State.COMPLETED
    assert rows(ledger_url, "SELECT count(*) FROM pg_class WHERE relkind = 'S' AND relname LIKE 't_%'") == [
        (0,)
    ]
    assert rows(ledger_url, "SELECT * FROM shop.t") == [(1,)]


def test_partitions_lose_it_with_their_parent(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer, a integer NOT NULL) PARTITION BY RANGE (id);"
        "CREATE TABLE shop.t1 PARTITION OF shop.t FOR VALUES FROM (0) TO (10); CREATE INDEX ON shop.t (a);"
        "INSERT INTO shop.t VALUES (1, 1)",
    )
    before = schema(ledger_url)
    start(WISH, settings=settings(ledger_url))
    rows(ledger_url, "INSERT INTO shop.t VALUES (2); DELETE FROM shop.t WHERE id = 2")
    abort(WISH, settings=settings(ledger_url))
    assert schema(ledger_url) == before
    change(WISH, settings=settings(ledger_url))
    assert rows(ledger_url, "SELECT * FROM shop.t1") == [(1,)]


def test_what_hangs_on_a_column_is_named_and_nothing_is_changed(ledger_url: str) -> None:
    rows(
        ledger_url,
        """CREATE SCHEMA shop;
        CREATE TABLE shop.t (id integer PRIMARY KEY, view integer, policy integer, made integer, stats integer,
            pub integer, fires integer, two integer, referred integer UNIQUE, checked integer, one_more integer,
            replica integer NOT NULL, g integer GENERATED ALWAYS AS (made + 1) STORED,
            CONSTRAINT t_two_key UNIQUE (id, two), CONSTRAINT t_checked_check CHECK (checked < one_more));
        CREATE UNIQUE INDEX t_one_idx ON shop.t (one_more, id);
        CREATE UNIQUE INDEX t_replica_idx ON shop.t (replica);
        ALTER TABLE shop.t REPLICA IDENTITY USING INDEX t_replica_idx;
        CREATE VIEW shop.v AS SELECT view FROM shop.t;
        CREATE POLICY own ON shop.t USING (policy > 0);
        CREATE STATISTICS shop.both_ ON id, stats FROM shop.t;
        CREATE PUBLICATION told FOR TABLE shop.t (replica, pub);
        CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
        CREATE TRIGGER touch BEFORE UPDATE OF fires ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.touch();
        CREATE TABLE shop.child (a integer REFERENCES shop.t (referred))""",
    )
    for column, user in (
        ("id", "constraint t_pkey on table shop.t"),
        ("view", "rule _RETURN on view shop.v"),
        ("policy", "policy own on table shop.t"),
        ("made", "column g of table shop.t"),
        ("stats", "statistics object shop.both_"),
        ("pub", "publication of table shop.t in publication told"),
        ("fires", "trigger touch on table shop.t"),
        ("two", "constraint t_two_key on table shop.t"),
        ("referred", "constraint child_a_fkey on table shop.child"),
        ("checked", "constraint t_checked_check on table shop.t"),
        ("one_more", "index shop.t_one_idx"),
        ("replica", "index shop.t_replica_idx"),
    ):
        with pytest.raises(
            TableError, match=f'"{column}" of "shop.t" cannot be dropped: it is used by .*{user}'
        ):
            start(DropColumn("shop.t", column), settings=settings(ledger_url))
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_change") == [(0,)]
