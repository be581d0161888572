"""The command: a verb a phase, words for a wish, a key with all that refers to it, and errors that say what to do."""

from __future__ import annotations

import json
import sys

import pytest

from spotify_ai_agent_migrations.versions.core.errors import EXIT_DONE, EXIT_FAILED, EXIT_USAGE
from support import connected, rows, run

PACKAGE = "spotify_ai_agent_migrations"
TABLES = """
CREATE TABLE parent (id serial PRIMARY KEY);
CREATE TABLE child (id serial PRIMARY KEY, parent_id integer NOT NULL REFERENCES parent);
CREATE INDEX child_parent_id_idx ON child (parent_id);
CREATE TABLE keyless (n integer);
INSERT INTO parent SELECT FROM generate_series(1, 20);
INSERT INTO child (parent_id) SELECT id FROM parent;
INSERT INTO keyless VALUES (1);
"""
TYPES = """
SELECT attrelid::regclass::text, attname, format_type(atttypid, -1) FROM pg_attribute
 WHERE (attrelid, attname) IN (('parent'::regclass, 'id'), ('child'::regclass, 'parent_id')) ORDER BY 1
"""
WIDE = [("child", "parent_id", "bigint"), ("parent", "id", "bigint")]
NARROW = [("child", "parent_id", "integer"), ("parent", "id", "integer")]


@pytest.fixture
def place(ledger_url: str) -> str:
    rows(ledger_url, TABLES)
    return ledger_url


def called(url: str, *words: str) -> tuple[int, list[str], str]:
    """Call the command; return its exit code, its lines, and what it says beside them."""
    done = run(sys.executable, "-m", PACKAGE, "zero-downtime-migration", *words, url=url)
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_each_verb_does_its_phase_and_status_says_how_far_it_is(place: str) -> None:
    wish = ("change_type", "public.child", "column=parent_id", "type=numeric", "back=parent_id::integer")
    rows(place, "ALTER TABLE child DROP CONSTRAINT child_parent_id_fkey")
    for verb, state in (
        ("start", "started"), ("backfill", "filled"), ("verify", "verified"), ("complete", "completed"),
    ):  # fmt: skip
        assert called(place, verb, *wish)[:2] == (
            EXIT_DONE, [f"change_type public.child parent_id: {state}"],
        )  # fmt: skip
        (listed,) = json.loads("".join(called(place, "status", "--format", "json")[1]))
        assert listed["state"] == state
    assert called(place, "plan", *wish)[1] == ["-- it is so already"]


def test_a_key_is_widened_with_all_that_refers_to_it(place: str) -> None:
    words = ("widen_key", "public.parent", "column=id")
    code, lines, _ = called(place, "plan", *words)
    assert (code, rows(place, TYPES)) == (EXIT_DONE, NARROW)
    assert any("public.child" in line for line in lines)
    assert any("ON public.parent" in line or "TABLE public.parent" in line for line in lines)
    assert called(place, "start", *words)[0] == EXIT_DONE
    assert called(place, "abort", *words)[0] == EXIT_DONE
    assert rows(place, TYPES) == NARROW
    code, lines, _ = called(place, "change", *words)
    assert (code, lines) == (
        EXIT_DONE,
        [
            "widen_key public.child public.parent.id: completed",
            "widen_key public.parent public.parent.id: completed",
        ],
    )
    assert rows(place, TYPES) == WIDE
    rows(place, "INSERT INTO parent VALUES (5000000000); INSERT INTO child (parent_id) VALUES (5000000000)")


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("change", "make_tea", "public.child"), EXIT_FAILED, 'there is no operation "make_tea"'),
        (("change", "set_not_null", "public.child"), EXIT_USAGE, "set_not_null needs column"),
        (("change", "set_not_null", "public.child", "color=red"), EXIT_USAGE, '"color=red" is no field'),
        (("change", "add_unique", "public.child", "columns=id"), EXIT_USAGE, "columns is a list"),
        (("change", "set_not_null", "public.nothing", "column=a"), EXIT_FAILED, 'there is no table "public.nothing"'),
        (("abort", "set_not_null", "public.child", "column=id"), EXIT_FAILED, "was never started"),
        (("complete", "set_not_null", "public.child", "column=id"), EXIT_FAILED, "was never started"),
        (("pause", "set_not_null", "public.child", "column=id"), EXIT_FAILED, "set_not_null"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_two_lines(
    place: str, words: tuple[str, ...], code: int, problem: str
) -> None:
    ended, lines, said = called(place, *words)
    assert (ended, lines) == (code, [])
    assert f"error: {problem}" in said or problem in said.splitlines()[-2]
    assert said.splitlines()[-1].startswith("Hint: ")


def test_a_table_without_a_key_is_refused_before_anything_is_made(place: str) -> None:
    before = rows(
        place, "SELECT attname FROM pg_attribute WHERE attrelid = 'keyless'::regclass ORDER BY attnum"
    )
    code, _, said = called(place, "change", "change_type", "public.keyless", "column=n", "type=bigint")
    assert code == EXIT_FAILED
    assert "nor a unique index of NOT NULL columns to walk along" in said
    assert "add_primary_key" in said
    assert (
        rows(place, "SELECT attname FROM pg_attribute WHERE attrelid = 'keyless'::regclass ORDER BY attnum")
        == before
    )
    assert rows(place, "SELECT count(*) FROM ops.online_change") == [(0,)]


def test_a_role_without_privileges_is_told_which_one_it_lacks(place: str) -> None:
    role = "nobody_in_particular"
    with connected(place) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE IF EXISTS {role}")
        cursor.execute(f"CREATE ROLE {role} LOGIN")
    try:
        url = place.replace("//postgres@", f"//{role}@")
        code, _, said = called(url, "change", "set_not_null", "public.child", "column=parent_id")
        assert code == EXIT_FAILED
        assert "permission denied" in said or "must be" in said
        assert said.splitlines()[-1].startswith("Hint: ")
    finally:
        rows(place, f"DROP OWNED BY {role}; DROP ROLE {role}")
