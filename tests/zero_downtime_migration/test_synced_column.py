"""A column that is kept at what an expression makes of others, whoever writes the row."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from zero_downtime_migration.walked import Walk, settings, walked

from spotify_ai_agent_migrations import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    AddSyncedColumn,
    Manner,
    Step,
    abort,
    change,
    plan,
)
from support import Databases, rows

MADE = """
CREATE TABLE shop.people (id bigint PRIMARY KEY, mail text, nick text);
INSERT INTO shop.people SELECT i, CASE WHEN i % 3 > 0 THEN 'P' || i || '@X.org' END FROM generate_series(1, 30) AS i;
"""
WISH = AddSyncedColumn(
    table="shop.people",
    column="mail_key",
    type='text COLLATE "C"',
    sources=("mail", "id"),
    expression="coalesce(lower(mail), id::text)",
    comment="contact: in small letters",
    back=("mail", "CASE WHEN mail_key LIKE '%@%' THEN mail_key END"),
    check="(mail IS NULL) = (mail_key = id::text)",
    unique=True,
)
# The function and the triggers of it are looked at by what they do.
PLAIN = """
ALTER TABLE shop.people ADD COLUMN mail_key text COLLATE "C",
    ADD CONSTRAINT people_mail_key_check CHECK ((mail IS NULL) = (mail_key = id::text));
COMMENT ON COLUMN shop.people.mail_key IS 'contact: in small letters';
UPDATE shop.people SET mail_key = coalesce(lower(mail), id::text);
ALTER TABLE shop.people ADD CONSTRAINT people_mail_key_key UNIQUE (mail_key), ALTER mail_key SET NOT NULL;
CREATE FUNCTION shop.people_mail_key_sync() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF tg_op = 'INSERT' AND new."mail" IS NULL
       OR tg_op = 'UPDATE' AND new."mail_key" IS DISTINCT FROM old."mail_key"
          AND new."mail" IS NOT DISTINCT FROM old."mail"
          AND new."mail_key" IS DISTINCT FROM (SELECT coalesce(lower(mail), id::text) FROM (SELECT new."mail" AS "mail", new."id" AS "id") AS t) THEN
        new."mail" := (SELECT CASE WHEN mail_key LIKE '%@%' THEN mail_key END FROM (SELECT new."mail_key" AS "mail_key") AS t);
    END IF;
    -- Whatever agentdb.filling says: who fills writes the same.
    "new"."mail_key" := (SELECT coalesce(lower(mail), id::text) FROM (SELECT new."mail" AS "mail", new."id" AS "id") AS t);
    RETURN new;
END
$function$;
REVOKE ALL ON FUNCTION shop.people_mail_key_sync() FROM PUBLIC;
COMMENT ON FUNCTION shop.people_mail_key_sync() IS 'Keep mail_key at what it is made of';
CREATE TRIGGER zz_people_mail_key_insert BEFORE INSERT ON shop.people FOR EACH ROW EXECUTE FUNCTION shop.people_mail_key_sync();
CREATE TRIGGER zz_people_mail_key_update BEFORE UPDATE ON shop.people
    FOR EACH ROW WHEN (OLD.mail IS DISTINCT FROM NEW.mail OR OLD.id IS DISTINCT FROM NEW.id OR OLD.mail_key IS DISTINCT FROM NEW.mail_key)
    EXECUTE FUNCTION shop.people_mail_key_sync();
ALTER TABLE shop.people ENABLE ALWAYS TRIGGER zz_people_mail_key_insert;
ALTER TABLE shop.people ENABLE ALWAYS TRIGGER zz_people_mail_key_update;
"""


def lives(url: str) -> None:
    """Old code writes the source alone, at any time."""
    rows(
        url,
        "INSERT INTO shop.people VALUES (99, 'New@X.org'); UPDATE shop.people SET nick = 'n' WHERE id = 1",
    )
    rows(url, "UPDATE shop.people SET mail = 'Newer@X.org' WHERE id = 99; UPDATE shop.people SET nick = NULL")
    if rows(
        url, "SELECT FROM pg_attribute WHERE attrelid = 'shop.people'::regclass AND attname = 'mail_key'"
    ):
        rows(url, "UPDATE shop.people SET mail_key = 'newest@x.org' WHERE id = 99")
        assert rows(url, "SELECT mail FROM shop.people WHERE id = 99") == [("newest@x.org",)]
    rows(url, "DELETE FROM shop.people WHERE id = 99")


def test_it_is_added_wherever_it_is_killed(databases: Databases, ledger: str) -> None:
    content = "SELECT id, to_jsonb(one) - 'id'::text FROM shop.people AS one ORDER BY id"
    url = walked(databases, ledger, Walk(MADE, WISH, PLAIN, content, lives))
    assert plan(WISH, settings=settings(url)).steps == ()


@pytest.mark.parametrize(
    ("change_of_scene", "wrong"),
    [
        (
            "ALTER TABLE shop.people ADD COLUMN mail_key text",
            'has a column "mail_key" that nothing keeps in step',
        ),
        ("ALTER TABLE shop.people DROP CONSTRAINT people_pkey", "has no primary key to walk along"),
        ("ALTER TABLE shop.people DROP COLUMN mail", 'has no column "mail"'),
        (
            "CREATE INDEX people_mail_key_key ON shop.people (nick)",
            'something called "people_mail_key_key" already',
        ),
        (
            "ALTER TABLE shop.people ALTER mail TYPE integer USING 1",
            "cannot be made of mail, id: function lower",
        ),
        ("UPDATE shop.people SET mail = 'P1@x.ORG' WHERE id IN (2, 4)", "1 values, of 3 rows; 1 and 2 and 4"),
    ],
)
def test_what_cannot_be_is_refused_by_name(ledger_url: str, change_of_scene: str, wrong: str) -> None:
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, MADE)
    rows(ledger_url, change_of_scene)
    with pytest.raises(TableError) as refused:
        change(WISH, settings=settings(ledger_url))
    assert wrong in refused.value.problem


def test_rows_that_come_to_be_equal_while_the_index_is_built_are_told_by_number_alone(
    ledger_url: str,
) -> None:
    """The proof before it has passed by then; the server's own words would tell the value."""
    rows(ledger_url, "CREATE SCHEMA shop")
    rows(ledger_url, MADE)

    def late(step: Step, moment: str) -> None:
        if (step.name, moment) == ("build the unique index", "begun"):
            rows(ledger_url, "UPDATE shop.people SET mail = 'p1@x.ORG' WHERE id = 3")

    with pytest.raises(TableError) as refused:
        change(WISH, settings=settings(ledger_url), manner=Manner(told=late))
    assert str(refused.value).splitlines() == [
        'rows of "shop.people" come to the same "mail_key": 1 values, of 2 rows; 1 and 3',
        'Hint: give all but one of each another "mail", or none, or delete them; then run it again',
    ]
    assert (refused.value.__cause__, refused.value.__suppress_context__) == (None, True)
    assert abort(WISH, settings=settings(ledger_url)).state.value == "aborted"
    rows(ledger_url, "UPDATE shop.people SET mail = NULL WHERE id = 3")
    assert change(WISH, settings=settings(ledger_url)).state.value == "completed"


@pytest.mark.parametrize("wrong", [{"expression": "twice(n)"}, {"back": ("n", "half(m)")}])
def test_a_function_that_the_trigger_would_not_find_is_refused(
    ledger_url: str, wrong: dict[str, Any]
) -> None:
    rows(ledger_url, "CREATE TABLE t (id integer PRIMARY KEY, n integer)")
    for name, made in (("twice", "$1 * 2"), ("half", "$1 / 2")):
        rows(ledger_url, f"CREATE FUNCTION {name}(integer) RETURNS integer LANGUAGE sql RETURN {made}")
    wish = AddSyncedColumn(
        "public.t", "m", "integer", ("n",), "public.twice(n)", "n", ("n", "public.half(m)")
    )
    with pytest.raises(TableError, match=r"function (twice|half)\(integer\) does not exist"):
        change(replace(wish, **wrong), settings=settings(ledger_url))
    change(wish, settings=settings(ledger_url))
    rows(ledger_url, "INSERT INTO t (id, n) VALUES (1, 4)")
    assert rows(ledger_url, "SELECT m FROM t") == [(8,)]


def test_a_name_that_would_end_the_function_is_a_name(ledger_url: str) -> None:
    rows(ledger_url, 'CREATE TABLE t (id integer PRIMARY KEY, "a$function$" integer)')
    wish = AddSyncedColumn("public.t", "b", "integer", ("a$function$",), 'coalesce("a$function$", 7)', "b")
    change(wish, settings=settings(ledger_url))
    rows(ledger_url, "INSERT INTO t (id) VALUES (1)")
    assert rows(ledger_url, "SELECT b FROM t") == [(7,)]
