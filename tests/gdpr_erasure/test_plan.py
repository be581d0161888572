"""A plan says what becomes of every value of a person, and is the same until something else would."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from gdpr_erasure.erasing import set_keys
from gdpr_erasure.people import ADA, BOB
from gdpr_erasure.planned import Bench, outcomes_of, steps_of

from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, SubjectError
from spotify_ai_agent_migrations.versions.core.signing import make_keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import SIGNING
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Action, Outcome
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.planning import plan_erasure
from support import rows

PERSONAL = """
SELECT DISTINCT table_name FROM ops.personal_data
 WHERE class <> 'none' AND people = 'users' AND strategy <> 'keep'
   AND table_name <> 'public.audit_log'
"""
# What is Bob's alone, table by table.
EACH = """
SELECT string_agg(format('SELECT %%L, md5(string_agg(one::text, chr(10) ORDER BY one::text)) FROM %%s AS one WHERE %%I = %%s',
                         class.oid::regclass, class.oid::regclass, attribute.attname, %(person)s), ' UNION ALL ' ORDER BY class.relname)
  FROM pg_class AS class
  JOIN pg_attribute AS attribute
    ON attribute.attrelid = class.oid
   AND attribute.attname = CASE class.relname WHEN 'users' THEN 'id' ELSE 'user_id' END
 WHERE class.relnamespace = 'public'::regnamespace AND class.relkind IN ('r', 'p') AND NOT class.relispartition
   AND class.relname NOT IN ('playlist_items', 'playlist_item_versions', 'playlist_snapshots', 'playlists', 'agent_tool_calls',
                             'playlist_collaborators')
"""


def test_every_table_with_data_of_people_is_in_it_or_keeps_it_for_a_reason(at: Bench) -> None:
    plan = at.plan()
    assert plan.refusals == ()
    assert {step.table for step in plan.steps} >= {table for (table,) in at.rows(PERSONAL)}
    assert all(step.by_index for step in plan.steps)
    assert plan.warnings == ()
    assert plan.rows == sum(step.rows for step in plan.steps) > 20
    assert {one.table for one in plan.kept} > {"public.consent_events", "public.audit_log", "ops.tombstones"}
    assert all(one.why and one.basis for one in plan.kept)


def test_tables_come_before_those_that_they_are_reached_through(at: Bench) -> None:
    order = [step.table for step in at.plan().steps]
    for first, then in (
        ("public.agent_tool_calls", "public.agent_messages"), ("public.agent_messages", "public.agent_conversations"),
        ("public.playlist_item_versions", "public.playlist_snapshots"), ("public.playlist_items", "public.playlists"),
        ("public.playlist_snapshots", "public.playlists"), ("ops.restriction_permits", "ops.restrictions"),
    ):  # fmt: skip
        assert order.index(first) < order.index(then)
    assert order[-2:] == ["public.users", "ops.pseudonyms"]


def test_a_row_of_somebody_else_loses_the_name_of_the_person_and_stays(at: Bench) -> None:
    plan = at.plan()
    first, then = steps_of(plan, "public.playlist_items")
    assert (first.action, [one.name for one in first.columns], first.rows) == (Action.UPDATE, ["added_by"], 1)
    assert (then.action, then.rows) == (Action.DELETE, 1)
    assert {one.outcome for one in then.columns} == {Outcome.DELETED}


@pytest.mark.parametrize("most", [None, 1], ids=["whole", "one by one"])
def test_two_who_share_everything_are_told_apart(at: Bench, most: int | None) -> None:
    ((each,),) = at.rows(EACH, {"person": BOB.id})
    before = at.rows(each)
    names = at.rows("SELECT added_by, track_id FROM playlist_items WHERE user_id = %s", (BOB.id,))
    assert names == [(ADA.id, 10001)]
    plan = at.erase(most=most)
    assert at.rows(each) == before
    assert len(before) > 8
    assert at.rows("SELECT added_by, track_id FROM playlist_items WHERE user_id = %s", (BOB.id,)) == [
        (None, 10001)
    ]
    assert at.rows("SELECT approved_by, approved_at IS NULL FROM agent_tool_calls") == [(0, False)]
    assert at.rows("SELECT count(*) FROM playlist_collaborators") == [(0,)]
    assert outcomes_of(plan, "public.users")["public_id"] == "deleted"


def test_it_is_the_same_until_something_else_would_be_done(at: Bench) -> None:
    first = at.plan()
    assert at.plan(BOB.id).hash == first.hash
    at.rows("DELETE FROM listens")
    again = at.plan()
    assert (again.hash, again.changed_since(first)) == (first.hash, ())
    assert again.rows < first.rows
    at.rows(
        "SELECT ops.classify_column_v1('public.users', 'birth_year', strategy => 'generalise', strategy_args => '{\"to\": 10}')"
    )
    other = at.plan()
    assert other.hash != first.hash
    assert other.changed_since(first) == ("public.users",)
    at.rows("SELECT ops.place_hold_v1('{e}', 'a case', 'a claim', %s, 'public.listens')", (ADA.id,))
    held = at.plan()
    assert held.changed_since(other) == ("public.listens",)
    assert held.hash != other.hash


def test_what_is_held_when_it_began_is_held_until_it_has_ended(at: Bench) -> None:
    ((hold,),) = at.rows(
        "SELECT ops.place_hold_v1('{e}', 'a case', 'a claim', %s, 'public.listens')", (ADA.id,)
    )
    at.rows("SAVEPOINT held")
    first = at.plan()
    assert steps_of(first, "public.listens") == []
    ((now,),) = at.rows("SELECT clock_timestamp()")
    at.rows("SELECT ops.release_hold_v1(%s, 'settled')", (hold,))
    assert [step.rows for step in steps_of(at.plan(), "public.listens")] == [1]
    assert at.plan(at=now).hash == first.hash


def test_it_holds_no_number_of_the_person(at: Bench) -> None:
    told = at.plan().as_json()
    assert not [value for value in ADA.identifiers if value in told]
    assert json.loads(told)["hash"] == at.plan().hash
    assert "subject_row" not in told


def test_views_that_are_made_of_the_rows_are_renewed_each_behind_those_it_is_made_from(at: Bench) -> None:
    at.rows(
        "CREATE MATERIALIZED VIEW zero AS SELECT id, email FROM users; CREATE VIEW between AS SELECT id AS n FROM zero;"
        "CREATE MATERIALIZED VIEW above AS SELECT n FROM between; CREATE MATERIALIZED VIEW other AS SELECT 1 AS one"
    )
    for view in ("zero", "above", "other"):
        at.classify(view)
    assert at.plan().derived == ("public.zero", "public.above")


def test_it_is_signed_where_a_key_is_named(
    entangled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = set_keys(monkeypatch, tmp_path)
    before = rows(entangled, "SELECT count(*), max(id) FROM audit_log")
    plan = plan_erasure(ADA.id, entangled)
    assert plan.is_signed_by(keys)
    assert plan_erasure(BOB.id, entangled).signature != plan.signature
    monkeypatch.delenv("ERASURE_SIGNING_KEY_FILE")
    assert plan_erasure(ADA.id, entangled).signature is None
    assert rows(entangled, "SELECT count(*), max(id) FROM audit_log") == before


def test_a_signature_holds_for_one_plan_and_one_person(
    at: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = set_keys(monkeypatch, tmp_path)
    plan = at.plan().signed(SIGNING.read())
    assert plan.is_signed_by(keys)
    assert not replace(plan, subject=BOB.id).is_signed_by(keys)
    assert not replace(plan, derived=("public.another",)).is_signed_by(keys)
    assert not replace(plan, signature=None).is_signed_by(keys)
    make_keys(tmp_path / "other.key", tmp_path / "other.pub")
    assert not at.plan().signed(SIGNING.read(tmp_path / "other.key")).is_signed_by(keys)


def test_nobody_is_planned_who_is_not_there(entangled: str) -> None:
    for nobody in (0, -1, 1 << 63, True):
        with pytest.raises(SubjectError):
            plan_erasure(nobody, entangled)
    with pytest.raises(SubjectError, match="there is no such person"):
        plan_erasure(4711, entangled)


def test_who_may_not_erase_may_not_plan(entangled: str) -> None:
    rows(entangled, "CREATE ROLE nobody_at_all LOGIN")
    try:
        with pytest.raises(PrivilegeError, match='the login "nobody_at_all" may not act as "agent_eraser"'):
            plan_erasure(ADA.id, entangled.replace("postgres@", "nobody_at_all@"))
    finally:
        rows(entangled, "DROP ROLE nobody_at_all")
