"""A table that is dropped only when nobody has missed it."""

from __future__ import annotations

import pytest
from psycopg2 import errors
from zero_downtime_migration.walked import Walk, schema, settings, walked

from killing import killed_before
from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    DropTable,
    State,
    abort,
    change,
    complete,
    plan,
    start,
    verify,
)
from support import Databases, connected, rows

TABLE = 'shop."old {x}%"'
MADE = f"""
CREATE TABLE shop.far (id integer PRIMARY KEY);
CREATE TABLE shop.other (id integer PRIMARY KEY);
CREATE TABLE {TABLE} (
    id serial, far integer CONSTRAINT "to far%" REFERENCES shop.far (id) ON DELETE CASCADE,
    other integer CONSTRAINT other_fkey REFERENCES shop.other (id), above integer, PRIMARY KEY (id)
);
ALTER TABLE {TABLE} ADD CONSTRAINT above_fkey FOREIGN KEY (above) REFERENCES {TABLE} (id);
COMMENT ON TABLE {TABLE} IS 'once used';
GRANT SELECT ON {TABLE} TO agent_app;
INSERT INTO shop.far VALUES (1); INSERT INTO shop.other VALUES (1);
INSERT INTO {TABLE} (far, other, above) VALUES (1, 1, 1);
"""


def lives(url: str) -> None:
    rows(url, "INSERT INTO shop.far VALUES (2), (3)")
    rows(url, "UPDATE shop.far SET id = id + 10 WHERE id = 13")
    assert rows(url, "WITH gone AS (TABLE shop.far) SELECT count(*) FROM gone") == [(3,)]
    # The referenced row goes without a look at the table to be dropped, which would be a use of it.
    rows(url, "SET session_replication_role = replica; DELETE FROM shop.far WHERE id > 1")


def test_killed_anywhere_it_is_gone_with_all_that_was_its_own(databases: Databases, ledger: str) -> None:
    url = walked(databases, ledger, Walk(MADE, DropTable(TABLE), f"DROP TABLE {TABLE}", "SELECT 1", lives))
    assert rows(
        url, "SELECT to_regclass(%s), count(*) FROM pg_namespace WHERE nspname ~ '^dropped'", (TABLE,)
    ) == [(None, 0)]


def test_what_was_read_stays_and_what_was_put_away_comes_back(ledger_url: str) -> None:
    given = settings(ledger_url)
    wish = DropTable(TABLE)
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, MADE)
    before = schema(ledger_url)
    start(wish, settings=given)
    with connected(ledger_url) as reader, reader.cursor() as cursor:
        cursor.execute(f"SELECT pg_stat_force_next_flush(); SELECT far FROM {TABLE}")
        cursor.execute("SELECT 1")
        with pytest.raises(TableError, match="was read 1 and written 0 times since"):
            verify(wish, settings=given)
    assert abort(wish, settings=given).state is State.ABORTED

    start(wish, settings=given)
    verify(wish, settings=given)
    with pytest.raises(errors.UndefinedTable):
        rows(ledger_url, f"SELECT FROM {TABLE}")
    steps = [step.name for step in plan(wish, settings=given).steps]
    assert 'drop the foreign key "to far%"' in steps
    assert any(name.startswith("drop the table, and with it") and "_id_seq" in name for name in steps)
    assert abort(wish, settings=given).state is State.ABORTED
    assert schema(ledger_url) == before
    assert rows(ledger_url, f"SELECT id, far, other, above FROM {TABLE}") == [(1, 1, 1, 1)]


def test_keys_that_were_dropped_come_back_as_valid_as_they_were(ledger_url: str) -> None:
    given = settings(ledger_url)
    wish = DropTable(TABLE)
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, MADE)
    rows(ledger_url, f"ALTER TABLE {TABLE} DROP CONSTRAINT other_fkey")
    rows(
        ledger_url,
        f"ALTER TABLE {TABLE} ADD CONSTRAINT other_fkey FOREIGN KEY (other) REFERENCES shop.other NOT VALID",
    )
    before = schema(ledger_url)
    for verb in (start, verify):
        verb(wish, settings=given)
    killed = killed_before("DROP TABLE", lambda: complete(wish, settings=given))
    keys = "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conname !~ '^online'"
    assert (killed, rows(ledger_url, keys)) == (True, [("above_fkey",)])
    assert abort(wish, settings=given).state is State.ABORTED
    assert schema(ledger_url) == before
    valid = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conname !~ '^online' ORDER BY 1"
    assert rows(ledger_url, valid) == [("above_fkey", True), ("other_fkey", False), ("to far%", True)]


def test_what_hangs_on_the_table_is_refused_by_name(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE TABLE p (id serial PRIMARY KEY, at integer) PARTITION BY RANGE (id);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);"
        "CREATE TABLE u (id integer DEFAULT nextval('p_id_seq'), p_id integer REFERENCES p (id), whole p);"
        "CREATE VIEW seen AS SELECT at FROM p1; CREATE TABLE alone (id integer);"
        "CREATE TABLE far (id integer PRIMARY KEY)",
    )
    given = settings(ledger_url)
    with pytest.raises(TableError) as refused:
        start(DropTable("p"), settings=given)
    assert refused.value.problem == (
        'what hangs on "public.p" would be lost: column whole of table u, constraint u_p_id_fkey on table u, '
        "default value for column id of table u, rule _RETURN on view seen"
    )
    with pytest.raises(TableError, match=r"is a partition\nHint: detach it"):
        start(DropTable("p1"), settings=given)
    start(DropTable("alone", unused_s=60), settings=given)
    with pytest.raises(TableError, match=r"is to be unused for (60|5[0-9]) seconds more"):
        verify(DropTable("alone", unused_s=60), settings=given)
    rows(ledger_url, "DROP TABLE u; DROP VIEW seen")
    rows(
        ledger_url,
        "ALTER TABLE p ADD FOREIGN KEY (at) REFERENCES far;"
        " ALTER TABLE p1 ADD FOREIGN KEY (id) REFERENCES far",
    )
    keys = "SELECT conname, convalidated FROM pg_constraint WHERE contype = 'f' AND conname ~ '^p' ORDER BY 1"
    before = rows(ledger_url, keys)
    assert killed_before("DROP TABLE", lambda: change(DropTable("p"), settings=given))
    assert rows(ledger_url, "SELECT to_regclass('p'), to_regclass('p1')") == [(None, None)]
    assert abort(DropTable("p"), settings=given).state is State.ABORTED
    assert rows(ledger_url, keys) == before
    for verb in (start, verify, complete):
        made = verb(DropTable("p"), settings=given)
    found = "SELECT to_regclass('p'), to_regclass('p1'), to_regclass('alone') IS NULL"
    assert (made.state, rows(ledger_url, found)) == (State.COMPLETED, [(None, None, False)])
