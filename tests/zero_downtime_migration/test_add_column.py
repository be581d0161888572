"""A column is added without rewriting the table, and old code writes rows without it at every step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from zero_downtime_migration.walked import Walk, differences, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    AddColumn,
    State,
    abort,
    change,
    plan,
    start,
)
from support import Databases, connected, rows

SCENE = """
CREATE TABLE shop.t (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), n integer, s text, touched integer DEFAULT 0);
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN new.touched := new.touched + 1; RETURN new; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE INDEX ON shop.t (n);
INSERT INTO shop.t (n, s) SELECT i, 'x' || i FROM generate_series(1, 30) AS i;
"""
FILENODE = "SELECT pg_relation_filenode('shop.t')"


@pytest.fixture
def table(ledger_url: str) -> str:
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, SCENE)
    return ledger_url


def inserting(check: str) -> Callable[[str], None]:
    """Old code writes a row without the column; what the check selects of the row, where it is there, is true."""

    def lives(url: str) -> None:
        rows(url, "INSERT INTO shop.t (n, s) VALUES (1000, 'old')")
        rows(url, "UPDATE shop.t SET s = 'older' WHERE n = 1000; UPDATE shop.t SET s = s WHERE n = 1")
        if rows(
            url, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'shop.t'::regclass AND attname = 'c'"
        ) == [(1,)]:
            assert rows(url, f"SELECT {check} FROM shop.t WHERE n = 1000") == [(True,)]
        rows(url, "DELETE FROM shop.t WHERE n = 1000")

    return lives


def test_killed_anywhere_a_volatile_default_is_filled_in(databases: Databases, ledger: str) -> None:
    walk = Walk(
        made=SCENE,
        wish=AddColumn(
            "shop.t",
            "c",
            "uuid",
            default="gen_random_uuid()",
            not_null=True,
            check="c <> id",
            comment="a mark",
        ),
        plain="ALTER TABLE shop.t ADD COLUMN c uuid DEFAULT gen_random_uuid() NOT NULL CHECK (c <> id);"
        "COMMENT ON COLUMN shop.t.c IS 'a mark'",
        content="SELECT n, s FROM shop.t ORDER BY n",
        lives=inserting("c IS NOT NULL"),
    )
    url = walked(databases, ledger, walk)
    assert rows(url, "SELECT count(DISTINCT c) FROM shop.t") == [(30,)]


def test_killed_anywhere_an_identity_goes_on_from_the_numbers_given(
    databases: Databases, ledger: str
) -> None:
    walk = Walk(
        made=SCENE,
        wish=AddColumn("shop.t", "c", "bigint", identity="always"),
        plain="ALTER TABLE shop.t ADD COLUMN c bigint GENERATED ALWAYS AS IDENTITY",
        content="SELECT n, s FROM shop.t ORDER BY n",
        lives=inserting("c IS NOT NULL"),
    )
    url = walked(databases, ledger, walk)
    rows(url, "INSERT INTO shop.t (n) VALUES (7000)")
    assert rows(url, "SELECT c = (SELECT max(c) FROM shop.t) FROM shop.t WHERE n = 7000") == [(True,)]
    assert rows(url, "SELECT count(DISTINCT c) FROM shop.t") == [(31,)]


def plainly(databases: Databases, ledger: str, wish: AddColumn, declared: str) -> str:
    """Add a column to a scene, and hold that it is as the plain statement makes it; return the URL."""
    made, plain = (databases.url(databases.create(ledger)) for _ in range(2))
    for url in (made, plain):
        rows(url, "CREATE SCHEMA shop; GRANT USAGE ON SCHEMA shop TO agent_app")
        rows(url, SCENE)
    rows(plain, f"ALTER TABLE shop.t ADD COLUMN {declared}")
    given = settings(made)
    start(wish, settings=given)
    rows(made, "INSERT INTO shop.t (n) VALUES (999); DELETE FROM shop.t WHERE n = 999")
    abort(wish, settings=given)
    assert change(wish, settings=given).state is State.COMPLETED
    assert differences(made, plain) == []
    assert change(wish, settings=given).state is State.COMPLETED
    return made


def test_a_serial_column_is_as_the_plain_one(databases: Databases, ledger: str) -> None:
    url = plainly(databases, ledger, AddColumn("shop.t", "c", "bigserial"), "c bigserial")
    assert rows(url, "SELECT count(DISTINCT c), max(c) FROM shop.t") == [(30, 30)]


def test_whoever_may_insert_draws_from_the_sequence_of_a_serial_column(table: str) -> None:
    rows(table, "GRANT USAGE ON SCHEMA shop TO agent_app; GRANT INSERT (n) ON shop.t TO agent_app")
    start(AddColumn("shop.t", "c", "bigserial"), settings=settings(table))
    rows(table, "SET ROLE agent_app; INSERT INTO shop.t (n) VALUES (1000)")
    assert rows(table, "SELECT c FROM shop.t WHERE n = 1000") == [(1,)]


@pytest.mark.parametrize(
    ("wish", "declared"),
    [
        (AddColumn("shop.t", "c", "integer"), "c integer"),
        (AddColumn("shop.t", "c", "timestamptz", default="now()", not_null=True), "c timestamptz DEFAULT now() NOT NULL"),
        (
            AddColumn("shop.t", "c", "varchar(10)", default="'a{%s}'", collation='"C"', check="c > ''"),
            """c varchar(10) COLLATE "C" DEFAULT 'a{%s}' CHECK (c > '')""",
        ),
    ],
)  # fmt: skip
def test_what_needs_no_rewrite_is_added_in_one_step(
    databases: Databases, ledger: str, wish: AddColumn, declared: str
) -> None:
    url = plainly(databases, ledger, wish, declared)
    made = change(wish, settings=settings(url))
    assert [step.name for step in made.steps] == ["add the column", *(["validate it"] if wish.check else [])]


def test_not_null_without_a_default_holds_when_old_code_is_gone(table: str) -> None:
    wish = AddColumn("shop.t", "c", "integer", not_null=True)
    given = settings(table)
    start(wish, settings=given)
    rows(table, "INSERT INTO shop.t (n) VALUES (1000)")
    with pytest.raises(TableError, match=r'31 rows of "shop\.t" have no value in "c"'):
        change(wish, settings=given)
    rows(table, "UPDATE shop.t SET c = n")
    assert change(wish, settings=given).state is State.COMPLETED
    with pytest.raises(Exception, match="null value"):
        rows(table, "INSERT INTO shop.t (n) VALUES (1001)")


def test_a_domain_with_rules_becomes_the_type_below_and_a_check(table: str) -> None:
    rows(
        table,
        "CREATE DOMAIN shop.small AS integer CHECK (value < 100); "
        "CREATE DOMAIN shop.tiny AS shop.small DEFAULT 7 NOT NULL CHECK (value > 0)",
    )
    before = rows(table, FILENODE)
    wish = AddColumn("shop.t", "c", "shop.tiny")
    start(wish, settings=settings(table))
    rows(table, "INSERT INTO shop.t (n) VALUES (1000)")
    made = change(wish, settings=settings(table))
    assert rows(table, "SELECT DISTINCT c FROM shop.t") == [(7,)]
    for value, problem in (
        ("0", "tiny_check"),
        ("100", "small_check"),
        ("NULL", "null value|not allow null"),
    ):
        with pytest.raises(Exception, match=problem):
            rows(table, f"INSERT INTO shop.t (c) VALUES ({value})")
    assert rows(table, FILENODE) == before
    assert change(wish, settings=settings(table)) == made
    random = AddColumn("shop.t", "d", "shop.small", default="(random() * 10)::integer")
    change(random, settings=settings(table))
    assert rows(table, "SELECT count(d) FROM shop.t") == [(31,)]
    with pytest.raises(Exception, match="small_check"):
        rows(table, "INSERT INTO shop.t (d) VALUES (100)")
    assert rows(table, FILENODE) == before


def test_a_stored_expression_is_computed_by_a_trigger_when_that_is_wished(table: str) -> None:
    rows(
        table, "ALTER TABLE shop.t ADD COLUMN new integer DEFAULT 5, ADD COLUMN \"Odd; %s\" text DEFAULT 'o'"
    )
    expression = """upper(s) || "Odd; %s" || new"""
    with pytest.raises(TableError, match="a stored generated column") as refused:
        start(AddColumn("shop.t", "c", "text", generated=expression), settings=settings(table))
    assert "emulated=True" in str(refused.value)
    wish = AddColumn("shop.t", "c", "text", generated=expression, emulated=True, not_null=True)
    given = settings(table)
    rows(table, "UPDATE shop.t SET s = '' WHERE n > 30")
    before = rows(table, "SELECT count(*) FROM pg_trigger")
    start(wish, settings=given)
    rows(table, "INSERT INTO shop.t (n, s) VALUES (1000, 'a')")
    assert rows(table, "SELECT c FROM shop.t WHERE n = 1000") == [("Ao5",)]
    assert rows(table, "SELECT count(c) FROM shop.t") == [(1,)]
    abort(wish, settings=given)
    assert rows(table, "SELECT count(*) FROM pg_trigger") == before
    change(wish, settings=given)
    rows(table, "UPDATE shop.t SET s = 'b', c = 'ignored' WHERE n = 1000")
    assert rows(table, "SELECT c FROM shop.t WHERE n = 1000") == [("Bo5",)]
    assert rows(table, "SELECT count(*) FROM shop.t WHERE c <> upper(s) || 'o5'") == [(0,)]


def test_a_virtual_expression_is_added_at_once_where_the_server_can(
    databases: Databases, ledger: str, table: str
) -> None:
    wish = AddColumn("shop.t", "c", "integer", generated="n * 2", virtual=True, not_null=True)
    with connected(table) as connection:
        can = connection.server_version >= 180_000
    if can:
        plainly(databases, ledger, wish, "c integer NOT NULL GENERATED ALWAYS AS (n * 2) VIRTUAL")
    else:
        with pytest.raises(TableError, match="has no virtual generated columns"):
            start(wish, settings=settings(table))


ODD = 'Odd; "name%" {0}'
LONG = "l" * 62 + "1"


def test_odd_and_long_names_and_partitions(databases: Databases, ledger: str) -> None:
    made, plain = (databases.url(databases.create(ledger)) for _ in range(2))
    odd = ODD.replace('"', '""')
    for url in (made, plain):
        rows(
            url,
            f'CREATE SCHEMA shop; CREATE TABLE shop."{odd}" (id integer PRIMARY KEY) PARTITION BY RANGE (id);'
            f'CREATE TABLE shop."{LONG}" PARTITION OF shop."{odd}" FOR VALUES FROM (0) TO (10);'
            f'INSERT INTO shop."{odd}" VALUES (1), (2)',
        )
    for name, type_ in ((ODD, "serial"), (LONG, "serial"), ("check", 'integer NOT NULL CHECK ("check" > 0)')):
        quoted = name.replace('"', '""')
        rows(plain, f'ALTER TABLE shop."{odd}" ADD COLUMN "{quoted}" {type_.replace("NOT", "DEFAULT 1 NOT")}')
        wish = AddColumn(f'shop."{odd}"', name, type_)
        if name == "check":
            wish = AddColumn(
                f'shop."{odd}"', name, "integer", default="1", not_null=True, check='"check" > 0'
            )
        assert change(wish, settings=settings(made)).state is State.COMPLETED
    assert differences(made, plain) == []


def test_what_cannot_be_added_is_refused_with_the_way_round(table: str) -> None:
    rows(table, "CREATE TABLE shop.bare (a integer); CREATE TABLE shop.heir () INHERITS (shop.bare)")
    for wish, problem, hint in (
        (
            AddColumn("shop.t", "c", "integer", references="shop.t"),
            "together with its key",
            "add_foreign_key",
        ),
        (AddColumn("shop.t", "c", "integer", unique=True), "together with its key", "add_unique"),
        (AddColumn("shop.t", "c", "integer UNIQUE"), "says more than a type", "operations of their own"),
        (AddColumn("shop.t", "c", "nonsense"), 'type "nonsense" does not exist', "as ALTER TABLE takes them"),
        (AddColumn("shop.t", "c", "integer", identity="never"), 'not drawn "never"', "always or by default"),
        (
            AddColumn("shop.t", "n", "text"),
            'has a column "n" already, of type integer and not text',
            "another name",
        ),
        (AddColumn("shop.t", "x" * 64, "text"), "is longer than the 63 bytes", "a shorter one"),
        (AddColumn("shop.bare", "c", "uuid", default="gen_random_uuid()"), "inherits columns", "NO INHERIT"),
    ):
        with pytest.raises(TableError) as refused:
            start(wish, settings=settings(table))
        assert problem in str(refused.value)
        assert hint in str(refused.value)
    rows(table, "DROP TABLE shop.heir")
    with pytest.raises(TableError, match="key"):
        start(AddColumn("shop.bare", "c", "uuid", default="gen_random_uuid()"), settings=settings(table))
    assert rows(table, "SELECT count(*) FROM ops.online_change") == [(0,)]
    assert change(AddColumn("shop.bare", "c", "uuid"), settings=settings(table)).state is State.COMPLETED


PLAIN = (
    (AddColumn("shop.t", "a", "uuid", default="gen_random_uuid()", not_null=True, check="a <> id", comment="x"),
     "a uuid DEFAULT gen_random_uuid() NOT NULL CHECK (a <> id); COMMENT ON COLUMN shop.t.a IS 'x'"),
    (AddColumn("shop.t", "b", "bigserial"), "b bigserial"),
    (AddColumn("shop.t", "c", "integer", identity="by default"), "c integer GENERATED BY DEFAULT AS IDENTITY"),
    (AddColumn("shop.t", "d", "text", default="'x'", check="d > ''"), "d text DEFAULT 'x' CHECK (d > '')"),
)  # fmt: skip


def test_in_one_transaction_it_is_the_plain_statement(databases: Databases, ledger: str) -> None:
    made, plain = (databases.url(databases.create(ledger)) for _ in range(2))
    for url in (made, plain):
        rows(url, "CREATE SCHEMA shop")
        rows(url, SCENE)
    for wish, declared in PLAIN:
        rows(plain, f"ALTER TABLE shop.t ADD COLUMN {declared}")
        for step in plan(wish, settings=settings(made)).steps:
            for statement in step.sql if step.plain is None else step.plain:
                rows(made, statement)
    assert differences(made, plain) == []
