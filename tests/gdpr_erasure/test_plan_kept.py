"""What a hold or a rule keeps stays, with the rows that it hangs on, and the plan says why and until when."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from gdpr_erasure.people import ADA, BOB
from gdpr_erasure.planned import Bench, outcomes_of, steps_of

PORTIONS = pytest.mark.parametrize("most", [None, 1], ids=["whole", "one by one"])


def hold(
    at: Bench,
    table: str | None,
    *,
    subject: int | None = ADA.id,
    column: str | None = None,
    key: object = None,
) -> int:
    """Place a hold and return its number."""
    ((number,),) = at.rows(
        "SELECT ops.place_hold_v1('{b,e}', 'case 3 O 12/26', 'a claim', %s, %s, %s, %s, now() + interval '1 year')",
        (subject, table, column, None if key is None else json.dumps(key)),
    )
    return int(number)


def test_a_person_is_kept_as_a_whole(at: Bench) -> None:
    number = hold(at, None)
    plan = at.erase()
    assert plan.steps == ()
    assert {one.table for one in plan.kept if one.hold == number} > {
        "public.users",
        "public.listens",
        "ops.pseudonyms",
    }
    assert steps_of(at.plan(BOB.id), "public.listens")[0].rows == 1


@pytest.mark.parametrize("subject", [ADA.id, None], ids=["of one", "of everybody"])
def test_a_table_is_kept_and_the_rows_that_it_hangs_on(at: Bench, subject: int | None) -> None:
    number = hold(at, "public.agent_messages", subject=subject)
    plan = at.erase()
    kept = {one.table: one for one in plan.kept if one.hold == number}
    assert {table: one.rows for table, one in kept.items()} == {
        "public.agent_messages": 2,
        "public.agent_conversations": 1,
    }
    assert kept["public.agent_messages"].basis == "art. 17(3)(b, e)"
    assert kept["public.agent_messages"].why == "case 3 O 12/26"
    assert kept["public.agent_conversations"].why == "case 3 O 12/26; named by rows of public.agent_messages"
    assert kept["public.agent_messages"].until is not None
    assert at.rows("SELECT count(*) FROM agent_messages WHERE user_id = %s", (ADA.id,)) == [(2,)]
    assert at.rows("SELECT count(*) FROM agent_conversations WHERE user_id = %s", (ADA.id,)) == [(1,)]
    # What hangs on what is kept goes all the same.
    assert at.rows("SELECT count(*) FROM agent_tool_calls WHERE user_id = %s", (ADA.id,)) == [(0,)]


@PORTIONS
def test_a_row_is_kept_and_the_rows_that_it_hangs_on(at: Bench, most: int | None) -> None:
    at.rows(
        "INSERT INTO agent_conversations (user_id, id, agent, locale) VALUES (%s, 5, 'dj', 'fr')", (ADA.id,)
    )
    number = hold(at, "public.agent_messages", key={"conversation_id": ADA.conversation, "seq": 2})
    plan = at.erase(most=most)
    assert at.rows("SELECT seq FROM agent_messages WHERE user_id = %s", (ADA.id,)) == [(2,)]
    assert at.rows("SELECT id FROM agent_conversations WHERE user_id = %s", (ADA.id,)) == [
        (ADA.conversation,)
    ]
    assert [(one.table, one.rows) for one in plan.kept if one.hold == number] == [
        ("public.agent_conversations", 1),
        ("public.agent_messages", 1),
    ]
    assert str(ADA.conversation) not in "".join(step.statement for step in plan.steps)


def test_an_instant_in_the_key_of_a_row_is_the_same_in_any_zone(at: Bench) -> None:
    hold(at, "public.listens", key={"listened_at": "2026-01-31T13:00:00+01:00"})
    at.rows("SET LOCAL TimeZone = 'Asia/Kathmandu'")
    at.erase(most=1)
    assert at.rows("SELECT count(*) FROM listens WHERE user_id = %s", (ADA.id,)) == [(1,)]


@PORTIONS
def test_a_column_is_kept_and_the_others_are_not(at: Bench, most: int | None) -> None:
    hold(at, "public.users", column="birth_year")
    at.rows("UPDATE users SET birth_year = 1915")
    plan = at.erase(most=most)
    assert at.rows("SELECT birth_year, display_name FROM users WHERE id = %s", (ADA.id,)) == [(1915, None)]
    assert "birth_year" not in outcomes_of(plan, "public.users")
    assert [one.columns for one in plan.kept if one.hold] == [("birth_year",)]


@PORTIONS
def test_a_column_of_one_row_is_kept_where_the_others_are_changed(at: Bench, most: int | None) -> None:
    at.make(
        "notes", "user_id bigint REFERENCES users, n integer PRIMARY KEY, a text, b text", a="null", b="null"
    )
    at.rows("INSERT INTO notes SELECT %s, n, 'x', 'y' FROM generate_series(1, 3) AS n", (ADA.id,))
    hold(at, "public.notes", column="a", key={"n": 2})
    hold(at, "public.notes", key={"n": 3})
    plan = at.erase(most=most)
    assert at.rows("SELECT a, b FROM notes ORDER BY n") == [(None, None), ("x", None), ("x", "y")]
    assert [one.rows for one in plan.kept if one.table == "public.notes"] == [1, 1]


def test_a_row_that_would_be_deleted_is_kept_with_all_that_is_in_it(at: Bench) -> None:
    number = hold(at, "public.listens", column="listened_at")
    (kept,) = (one for one in at.erase().kept if one.hold == number)
    assert {"track_id", "listened_at", "ms_played"} < set(kept.columns)
    assert at.rows("SELECT count(*) FROM listens WHERE user_id = %s", (ADA.id,)) == [(1,)]


def test_a_hold_that_is_over_or_of_somebody_else_keeps_nothing(at: Bench) -> None:
    hold(at, None, subject=BOB.id)
    at.rows("SELECT ops.release_hold_v1(%s, 'settled')", (hold(at, None),))
    plan = at.erase()
    assert [one for one in plan.kept if one.hold] == []
    assert at.rows("SELECT count(*) FROM listens") == [(1,)]


def test_what_a_rule_keeps_says_until_when(at: Bench) -> None:
    ((last, until),) = at.rows(
        "SELECT max(event.recorded_at), max(event.recorded_at) + policy.keep_for"
        " FROM consent_events AS event, retention_policies AS policy"
        " WHERE event.user_id = %s AND policy.table_name = 'consent_events' GROUP BY policy.keep_for",
        (ADA.id,),
    )
    (proof,) = (one for one in at.plan().kept if one.table == "public.consent_events")
    assert (proof.rule, proof.until, proof.basis) == ("proof", until, "legal_obligation")
    assert (
        proof.why == "GDPR art. 7(1), 17(3)(b) and (e): the answer has to be shown, and withdrawn answers too"
    )
    assert until - last > timedelta(days=365)


@PORTIONS
def test_what_was_detached_from_a_table_is_erased_and_held_as_it(at: Bench, most: int | None) -> None:
    ((name,),) = at.rows("SELECT tableoid::regclass::text FROM analytics WHERE user_id = %s", (ADA.id,))
    at.rows(f"ALTER TABLE analytics DETACH PARTITION {name}")
    at.rows(
        "INSERT INTO ops.partition_archives (table_name, partition_name, partition_oid)"
        " SELECT 'public.analytics', %s, %s::regclass::oid::bigint",
        (name, name),
    )
    at.rows(f"GRANT SELECT, UPDATE, DELETE ON {name} TO agent_eraser")
    at.rows("SAVEPOINT detached")
    plan = at.erase(most=most)
    assert [step.rows for step in steps_of(plan, f"public.{name}")] == [1]
    assert at.rows(f"SELECT count(*) FROM {name} WHERE user_id = %s", (ADA.id,)) == [(0,)]
    at.rows("ROLLBACK TO SAVEPOINT detached")
    hold(at, "public.analytics")
    at.erase(most=most)
    assert at.rows(f"SELECT count(*) FROM {name} WHERE user_id = %s", (ADA.id,)) == [(1,)]
