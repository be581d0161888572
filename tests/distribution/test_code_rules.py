"""Rules about the source of functions: what breaks one is found with its fix, what keeps it is passed over."""

from __future__ import annotations

import pytest
from distribution.schema import Case, Schema, called


def _function(body: str) -> str:
    return f"CREATE FUNCTION work() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {body}; END $$;"


CASES = [
    Case(
        "CIT019",
        "skip-locked",
        _function("PERFORM FROM public.notes WHERE id > 1 ORDER BY id LIMIT 9 FOR UPDATE SKIP LOCKED"),
        (
            "warning",
            "public.work()",
            'locks rows of public.notes FOR UPDATE SKIP LOCKED without one value of "user_id"',
            "add user_id = … to it; take batches by ranges of the key",
        ),
        _function(
            "PERFORM FROM notes WHERE notes.user_id = 7 FOR UPDATE SKIP LOCKED;"
            " -- SELECT FROM notes FOR UPDATE;\n"
            " RAISE NOTICE 'SELECT FROM notes FOR UPDATE';"
            " PERFORM FROM my_notes FOR UPDATE; PERFORM FROM other.notes FOR UPDATE"
        ),
    ),
    Case(
        "CIT019",
        "share-in-a-list",
        _function("PERFORM FROM users AS person WHERE person.id = ANY ('{1,2}') FOR NO KEY UPDATE"),
        (
            "warning",
            "public.work()",
            'locks rows of public.users FOR NO KEY UPDATE without one value of "id"',
            "add id = … to it; take batches by ranges of the key",
        ),
        _function("PERFORM FROM users AS person WHERE person.id = 4 FOR KEY SHARE"),
    ),
    Case(
        "CIT019",
        "a-join-names-no-value",
        _function(
            "PERFORM FROM notes AS note JOIN tags AS tag ON note.user_id = tag.user_id FOR UPDATE OF note"
        ),
        (
            "warning",
            "public.work()",
            'locks rows of public.notes FOR UPDATE without one value of "user_id"',
            "add user_id = … to it; take batches by ranges of the key",
        ),
        _function("PERFORM FROM notes AS note WHERE note.user_id = asked.who FOR UPDATE"),
    ),
    Case(
        "CIT020",
        "ctid",
        "CREATE FUNCTION work() RETURNS void LANGUAGE sql BEGIN ATOMIC"
        " DELETE FROM notes WHERE ctid IN (SELECT ctid FROM notes LIMIT 9); END;",
        (
            "warning",
            "public.work()",
            "finds rows of public.notes by ctid",
            "find them by the primary key, in ranges",
        ),
        "CREATE TABLE tags (id bigint PRIMARY KEY);" + _function("DELETE FROM tags WHERE ctid = '(0,1)'"),
    ),
    Case(
        "CIT021",
        "volatile",
        "ALTER TABLE notes ADD COLUMN seen timestamptz;"
        + _function("UPDATE public.notes SET seen = clock_timestamp() WHERE user_id = 7"),
        (
            "warning",
            "public.work()",
            "updates public.notes with clock_timestamp(), which is volatile",
            "compute the value first, into a variable",
        ),
        "ALTER TABLE notes ADD COLUMN seen timestamptz;"
        + _function(
            "UPDATE notes SET seen = now() WHERE user_id = 7;"
            " INSERT INTO notes (user_id, id, seen) VALUES (1, 1, clock_timestamp());"
            " SELECT FROM notes FOR UPDATE"
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_breaks_a_rule_is_found_and_its_fix_mends_it(schema: Schema, case: Case) -> None:
    case.prove(schema)


@pytest.mark.parametrize("case", CASES, ids=called)
def test_what_keeps_the_rule_is_passed_over(schema: Schema, case: Case) -> None:
    case.pass_over(schema)


def test_the_function_of_a_trigger_is_left_to_the_rule_about_triggers(schema: Schema) -> None:
    schema.execute(
        "CREATE TABLE users (id bigint PRIMARY KEY);"
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM FROM users FOR UPDATE; RETURN NEW; END $$;"
        "CREATE TRIGGER keep BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    assert [found.code for found in schema.findings("users distributed by id")] == ["CIT013"]
