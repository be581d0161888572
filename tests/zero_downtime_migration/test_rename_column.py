"""A column gets another name, and both names are read and written until the end."""

from __future__ import annotations

import pytest
from zero_downtime_migration.walked import Walk, build, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    RenameColumn,
    State,
    backfill,
    change,
    complete,
    start,
    verify,
)
from support import Databases, rows

NAMES = "SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = 'shop.t'::regclass AND attnum > 0"


def old_writes(url: str) -> None:
    """What old code writes is there by both names."""
    rows(url, "INSERT INTO shop.t (id, email) VALUES (1000, 'Old'), (1001, 'x')")
    rows(url, "UPDATE shop.t SET email = 'OLD' WHERE id = 1000")
    if "mail" in names(url):
        assert rows(url, "SELECT mail FROM shop.t WHERE id = 1000") == [("OLD",)]


def new_writes(url: str) -> None:
    """What new code writes is there by both names, and the rules of the column hold for it."""
    rows(url, "INSERT INTO shop.t (id, mail) VALUES (1002, 'new'), (1003, 'y')")
    rows(url, "UPDATE shop.t SET mail = 'NEW' WHERE id = 1002")
    with pytest.raises(Exception, match="duplicate key"):
        rows(url, "UPDATE shop.t SET mail = 'y' WHERE id = 1002")
    with pytest.raises(Exception, match="null value"):
        rows(url, "UPDATE shop.t SET mail = NULL WHERE id = 1002")
    if "email" in names(url):
        assert rows(url, "SELECT email FROM shop.t WHERE id = 1002") == [("NEW",)]


def names(url: str) -> list[str]:
    ((found,),) = rows(url, NAMES)
    assert isinstance(found, list)
    return found


def lives(url: str) -> None:
    if "email" in names(url):
        old_writes(url)
    if "mail" in names(url):
        new_writes(url)
    rows(url, "DELETE FROM shop.t WHERE id >= 1000; DELETE FROM shop.log WHERE row_id >= 1000")


SCENE = """
CREATE DOMAIN shop.mail AS text CHECK (value <> '');
CREATE TABLE shop.t (
    id integer PRIMARY KEY,
    email shop.mail COLLATE "C" NOT NULL DEFAULT 'nobody',
    updated_at timestamptz,
    shout text GENERATED ALWAYS AS (upper(email)) STORED,
    CONSTRAINT t_email_key UNIQUE (email) INCLUDE (id),
    CONSTRAINT t_email_check CHECK (email <> 'forbidden')
);
CREATE TABLE shop.log (row_id integer, was text);
CREATE TABLE shop.child (email text COLLATE "C" REFERENCES shop.t (email) ON UPDATE CASCADE);
CREATE INDEX t_lower_idx ON shop.t (lower(email)) WHERE email <> 'a';
CREATE INDEX t_id_email_idx ON shop.t USING btree (id DESC, email text_pattern_ops) WITH (fillfactor = 80);
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN new.updated_at := 'epoch'; RETURN new; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE FUNCTION shop.audit() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN INSERT INTO shop.log VALUES (old.id, to_jsonb(old)::text); RETURN NULL; END $$;
CREATE TRIGGER audit AFTER UPDATE ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.audit();
COMMENT ON COLUMN shop.t.email IS 'where to write to';
ALTER TABLE shop.t ALTER COLUMN email SET STATISTICS 500;
GRANT SELECT (email), UPDATE (email) ON shop.t TO agent_app WITH GRANT OPTION;
ALTER TABLE shop.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.t USING (email = current_user);
CREATE STATISTICS shop.both_ ON id, email FROM shop.t;
CREATE VIEW shop.v AS SELECT id, email FROM shop.t;
INSERT INTO shop.t SELECT i, 'user' || i FROM generate_series(1, 50) AS i;
"""


def test_killed_anywhere_the_column_is_renamed_with_all_that_hangs_on_it(
    databases: Databases, ledger: str
) -> None:
    walk = Walk(
        made=SCENE,
        wish=RenameColumn("shop.t", "email", "mail"),
        plain="ALTER TABLE shop.t RENAME COLUMN email TO mail",
        content="SELECT id, to_jsonb(t) - 'mail' - 'email' - 'updated_at', coalesce(to_jsonb(t) ->> 'mail',"
        " to_jsonb(t) ->> 'email') FROM shop.t AS t ORDER BY id",
        lives=lives,
    )
    walked(databases, ledger, walk)


def test_between_the_two_new_code_has_rights_and_an_index_to_be_found_by(
    databases: Databases, ledger: str
) -> None:
    url = build(databases, ledger, Walk(SCENE, RenameColumn("shop.t", "email", "mail"), "", ""))
    wish = RenameColumn("shop.t", "email", "mail")
    start(wish, settings=settings(url))
    backfill(wish, settings=settings(url))
    assert rows(
        url, "SELECT has_column_privilege('agent_app', 'shop.t', 'mail', 'UPDATE WITH GRANT OPTION')"
    ) == [(True,)]
    rows(url, "INSERT INTO shop.t (id, mail) VALUES (1, 'user1') ON CONFLICT (mail) DO NOTHING")
    assert rows(url, "SELECT pg_get_indexdef('shop.zz_t_lower_idx_mail'::regclass)") == [
        ("CREATE INDEX zz_t_lower_idx_mail ON shop.t USING btree (lower(mail)) WHERE (mail <> 'a'::text)",)
    ]
    lives(url)


ODD = 'Odd; "name%" {0}'
LONG = "l" * 62 + "1"


def test_odd_and_long_names_keys_and_types_without_equality(ledger_url: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop")
    for table, column, kind, to in (
        (ODD, ODD, "json", LONG),
        (LONG, LONG, "point", LONG.replace("1", "2")),
        ("%", "%s", "uuid PRIMARY KEY", "id"),
    ):
        quoted = table.replace('"', '""'), column.replace('"', '""')
        key = "" if "KEY" in kind else "id integer PRIMARY KEY DEFAULT 1, "
        value = {"json": "'[1]'", "point": "'(1,2)'"}.get(kind, "gen_random_uuid()")
        rows(ledger_url, f'CREATE TABLE shop."{quoted[0]}" ({key}"{quoted[1]}" {kind} DEFAULT {value})')
        rows(ledger_url, f'INSERT INTO shop."{quoted[0]}" DEFAULT VALUES')
        made = change(RenameColumn(f'shop."{quoted[0]}"', column, to), settings=settings(ledger_url))
        assert made.state is State.COMPLETED
        assert rows(ledger_url, f'SELECT "{to}" IS NULL FROM shop."{quoted[0]}"') == [(False,)]


def test_a_column_of_a_composite_key_that_others_refer_to(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (a integer, b text, PRIMARY KEY (a, b));"
        "CREATE TABLE shop.child (a integer, b text, FOREIGN KEY (a, b) REFERENCES shop.t ON UPDATE CASCADE);"
        "INSERT INTO shop.t VALUES (1, 'x'), (1, 'y'); INSERT INTO shop.child VALUES (1, 'x')",
    )
    wish = RenameColumn("shop.t", "b", "c")
    for verb in (start, backfill, verify):
        verb(wish, settings=settings(ledger_url))
    rows(ledger_url, "UPDATE shop.t SET c = 'z' WHERE c = 'x'")
    assert rows(ledger_url, "SELECT b FROM shop.child") == [("z",)]
    complete(wish, settings=settings(ledger_url))
    assert rows(ledger_url, "SELECT a, c FROM shop.t ORDER BY c") == [(1, "y"), (1, "z")]


def test_an_identity_and_a_serial_column_go_on_counting_by_both_names(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial);"
        "INSERT INTO shop.t DEFAULT VALUES",
    )
    for wish in (RenameColumn("shop.t", "id", "key"), RenameColumn("shop.t", "s", "number")):
        start(wish, settings=settings(ledger_url))
        rows(ledger_url, "INSERT INTO shop.t DEFAULT VALUES")
        change(wish, settings=settings(ledger_url))
    rows(ledger_url, "INSERT INTO shop.t DEFAULT VALUES")
    assert rows(ledger_url, "SELECT key, number FROM shop.t ORDER BY 1") == [(i, i) for i in range(1, 5)]
    assert rows(ledger_url, "SELECT pg_get_serial_sequence('shop.t', 'number')") == [("shop.t_s_seq",)]


def test_a_table_without_a_key_is_refused_unless_it_is_renamed_at_once(ledger_url: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop; CREATE TABLE shop.t (a integer)")
    with pytest.raises(TableError, match="key"):
        start(RenameColumn("shop.t", "a", "b"), settings=settings(ledger_url))
    assert change(RenameColumn("shop.t", "a", "b", expand=False), settings=settings(ledger_url)).steps


def test_partitions_are_renamed_with_their_parent(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (id integer, a integer, PRIMARY KEY (id)) PARTITION BY RANGE (id);"
        "CREATE TABLE shop.t1 PARTITION OF shop.t FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE shop.t2 (a integer, id integer NOT NULL); ALTER TABLE shop.t2 ADD gone integer;"
        "ALTER TABLE shop.t2 DROP gone;"
        "ALTER TABLE shop.t ATTACH PARTITION shop.t2 FOR VALUES FROM (10) TO (20);"
        "CREATE INDEX t_a_idx ON shop.t (a); INSERT INTO shop.t SELECT i, i FROM generate_series(1, 19) AS i",
    )
    wish = RenameColumn("shop.t", "a", "b")
    start(wish, settings=settings(ledger_url))
    rows(ledger_url, "UPDATE shop.t SET b = -1 WHERE id IN (1, 11)")
    change(wish, settings=settings(ledger_url))
    assert rows(ledger_url, "SELECT sum(b), count(b) FROM shop.t") == [(176, 19)]
    with pytest.raises(TableError, match=r'"shop\.t1" is a partition'):
        change(RenameColumn("shop.t1", "b", "c"), settings=settings(ledger_url))
    with pytest.raises(TableError, match=r'"shop\.t" is partitioned by "id"'):
        change(RenameColumn("shop.t", "id", "c"), settings=settings(ledger_url))


def test_what_would_break_is_refused_by_name_and_nothing_is_changed(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (a integer, b integer, c integer);"
        "CREATE TABLE shop.heir () INHERITS (shop.t);"
        "CREATE TABLE shop.u (a integer PRIMARY KEY, b integer, g integer GENERATED ALWAYS AS (a + 1) STORED, f integer);"
        "CREATE FUNCTION shop.names() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.B := 1; RETURN new; END $$;"
        "CREATE TRIGGER names BEFORE INSERT ON shop.u FOR EACH ROW EXECUTE FUNCTION shop.names();"
        "CREATE TRIGGER watches BEFORE UPDATE OF f ON shop.u FOR EACH ROW EXECUTE FUNCTION shop.names();",
    )
    given = settings(ledger_url)
    for wish, problem in (
        (RenameColumn("shop.t", "a", "d"), '"shop.t" inherits columns'),
        (RenameColumn("shop.u", "z", "d"), '"shop.u" has no column "z"'),
        (RenameColumn("shop.u", "a", "b"), '"shop.u" has a column "b" already'),
        (RenameColumn("shop.u", "a", "x" * 64), "is longer than the 63 bytes"),
        (RenameColumn("shop.u", "g", "h"), '"g" of "shop.u" is generated'),
        (
            RenameColumn("shop.u", "b", "h"),
            'the function "shop.names" of the trigger names on "shop.u" names "b"',
        ),
        (RenameColumn("shop.u", "f", "h"), 'the trigger watches on "shop.u" fires for updates of "f" only'),
    ):
        with pytest.raises(TableError, match=problem):
            start(wish, settings=given)
    assert rows(ledger_url, "SELECT count(*) FROM ops.online_change") == [(0,)]
    made = change(RenameColumn("shop.u", "b", "h", trust=("shop.names",)), settings=given)
    assert made.state is State.COMPLETED


def test_a_column_that_nobody_names_is_renamed_at_once(ledger_url: str) -> None:
    rows(
        ledger_url,
        "CREATE SCHEMA shop; CREATE TABLE shop.t (email text, g text GENERATED ALWAYS AS ('x') STORED)",
    )
    wish = RenameColumn("shop.t", "g", "h", expand=False)
    made = change(wish, settings=settings(ledger_url))
    assert [step.sql for step in made.steps] == [('ALTER TABLE shop.t RENAME COLUMN "g" TO "h"',)]
    assert names(ledger_url) == ["email", "h"]
    assert change(wish, settings=settings(ledger_url)) == made
