"""Retention: what no rule keeps any longer goes, but for what a hold keeps or what is referred to."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import psycopg2
import pytest
from partitioning.test_maintain import kept as maintained
from partitioning.test_maintain import old_month

from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import held_now, place_hold, release_hold
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import complete, file_request
from spotify_ai_agent_migrations.versions.gdpr_erasure.retention import Retained, apply_retention
from spotify_ai_agent_migrations.versions.health_check import check_health
from support import Processes, connected, rows, until

PEOPLE = "INSERT INTO users (id, email, display_name) VALUES (1, 'a@example.org', 'A'), (2, 'b@example.org', 'B'), (3, 'c@example.org', 'C');"
CONVERSATIONS = PEOPLE + (
    "INSERT INTO agent_conversations (user_id, id, agent, locale, created_at) SELECT n, n, 'dj', 'en', now() - interval '14 months' FROM generate_series(1, 3) AS n;"
    "INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts, created_at) VALUES"
    " (1, 1, 1, 'user', '[]', now() - interval '14 months'), (2, 2, 1, 'user', '[]', now() - interval '14 months'), (2, 2, 2, 'user', '[]', now());"
)
FEATURES = PEOPLE + (
    "INSERT INTO feature_definitions (name, version, entity, dtype, description, source) VALUES ('taste', 1, 'user', 'number', 'what is liked', 'internal');"
    "INSERT INTO user_features (user_id, feature, event_at, value)"
    " SELECT person, 'taste@1', now() - make_interval(months => age), '0.5' FROM generate_series(1, 3) AS person, generate_series(1, 20) AS age;"
)


def done(url: str, table: str, *, dry_run: bool = False, batch_rows: int = 10_000) -> Retained:
    """What became of the rows of one table."""
    (found,) = (
        one for one in apply_retention(url, dry_run=dry_run, batch_rows=batch_rows) if one.table == table
    )
    return found


def of(table: str, rule: str, deleted: int = 0, held: int = 0, needed: int = 0) -> Retained:
    return Retained(table, rule, "delete", deleted, held, needed)


def test_old_rows_go_in_batches_and_young_ones_stay(url: str) -> None:
    rows(url, FEATURES)
    assert done(url, "user_features", dry_run=True) == of("user_features", "history", 24)
    assert rows(url, "SELECT count(*) FROM user_features") == [(60,)]
    assert done(url, "user_features", batch_rows=5) == of("user_features", "history", 24)
    assert rows(url, "SELECT count(*), max(now() - event_at) < interval '13 months' FROM user_features") == [
        (36, True)
    ]
    assert done(url, "user_features") == of("user_features", "history")


def test_every_rule_has_its_turn_and_says_what_it_leaves_to_others(url: str) -> None:
    rows(
        url,
        "CREATE TABLE foreign_one (id int PRIMARY KEY, at timestamptz); SET ROLE agent_owner; INSERT INTO retention_policies (table_name, rule, time_column, keep_for, action) VALUES"
        " ('aaa', 'gone', 'at', '1 day', 'delete'), ('tracks', 'odd', 'title', '1 day', 'delete'),"
        " ('foreign_one', 'odd', 'at', '1 day', 'delete'),"
        " ('audit_log', 'odd', 'created_at', '1 day', 'delete'), ('tracks', 'put away', 'created_at', '1 day', 'archive')",
    )
    rows(url, FEATURES)
    found = {(one.table, one.rule): one for one in apply_retention(url)}
    assert set(found) == set(rows(url, "SELECT table_name, rule FROM retention_policies"))
    assert found["user_features", "history"].deleted == 24
    assert {key: (one.note, one.failed) for key, one in found.items() if one.note} == {
        ("aaa", "gone"): ('there is no rule "gone" of "aaa", or no such table', True),
        ("tracks", "odd"): ('table "tracks" has no primary key, or no column "title" that says when', True),
        ("foreign_one", "odd"): ('table "foreign_one" belongs to somebody else than "agent_owner"', True),
        ("audit_log", "odd"): ('rule "odd" of "audit_log" does not delete rows', True),
        ("tracks", "put away"): ("rows are archived by whoever wrote the rule: nothing here does", False),
        **dict.fromkeys(
            (("listens", "raw"), ("analytics", "raw"), ("audit_log", "trail")),
            ("whole partitions go by `agentdb partitioning maintain`", False),
        ),
    }


def test_proofs_that_nobody_may_change_end_as_well_and_the_trail_tells(url: str) -> None:
    rows(url, PEOPLE)
    rows(
        url,
        "INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, recorded_at) VALUES"
        " (1, 'analytics', true, 'v1', 'en', 'web', now() - interval '6 years'), (1, 'analytics', false, 'v1', 'en', 'web', now())",
    )
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        rows(url, "SET ROLE agent_eraser; DELETE FROM consent_events")
    assert done(url, "consent_events") == of("consent_events", "proof", 1)
    assert rows(url, "SELECT granted FROM consent_events") == [(False,)]
    assert rows(
        url, "SELECT action::text, entity_type FROM audit_log WHERE entity_type = 'consent_event'"
    ) == [("delete", "consent_event")]


def test_answers_to_requests_end_with_what_happened_to_them(url: str) -> None:
    rows(url, PEOPLE)
    old = datetime.now(timezone.utc) - timedelta(days=6 * 366)
    for person in (1, 2):
        number = file_request(person, "access", received_at=old, url=url)
        complete(number, "given", at=old if person == 1 else None, url=url)
    assert done(url, "data_subject_requests") == of("data_subject_requests", "answered", 1)
    assert rows(url, "SELECT user_id FROM data_subject_requests") == [(2,)]
    assert rows(url, "SELECT DISTINCT request_id FROM data_subject_request_events") == [(2,)]


def test_a_hold_on_a_person_a_table_a_row_or_a_column_keeps_rows(url: str) -> None:
    rows(url, FEATURES)
    assert rows(url, "SELECT count(*) FROM user_features WHERE event_at < now() - interval '13 months'") == [
        (24,)
    ]
    person = place_hold("e", "3 O 12/26", "a claim", subject=1, url=url)
    ((row,),) = rows(url, "SELECT jsonb_build_object('user_id', user_id, 'event_at', event_at) FROM user_features WHERE user_id = 2 ORDER BY event_at LIMIT 1")  # fmt: skip
    key = place_hold("e", "3 O 12/26", "a claim", table="public.user_features", key=row, url=url)  # type: ignore[arg-type]
    assert done(url, "user_features", dry_run=True) == of("user_features", "history", 15, 9)
    assert done(url, "user_features", batch_rows=4) == of("user_features", "history", 15, 9)
    assert rows(url, "SELECT user_id, count(*) FROM user_features WHERE event_at < now() - interval '13 months' GROUP BY 1 ORDER BY 1") == [(1, 8), (2, 1)]  # fmt: skip
    column = place_hold("e", "3 O 12/26", "a claim", table="public.user_features", column="value", url=url)
    release_hold(person, "over", url=url)
    release_hold(key, "over", url=url)
    assert done(url, "user_features") == of("user_features", "history", 0, 9)
    release_hold(column, "over", url=url)
    assert done(url, "user_features") == of("user_features", "history", 9)


def test_a_hold_keeps_what_would_go_along(url: str) -> None:
    """A tool call has no rule here, so it goes with its message, and that with its conversation."""
    rows(
        url,
        "SET ROLE agent_owner; DELETE FROM retention_policies WHERE table_name IN ('agent_messages', 'agent_tool_calls')",
    )
    rows(url, CONVERSATIONS)
    hold = place_hold("e", "3 O 12/26", "a claim", subject=1, table="public.agent_tool_calls", url=url)
    assert done(url, "agent_conversations") == of("agent_conversations", "history", 2, 1)
    assert rows(url, "SELECT user_id FROM agent_messages") == [(1,)]
    release_hold(hold, "over", url=url)
    assert done(url, "agent_conversations") == of("agent_conversations", "history", 1)


def test_whose_rows_cannot_be_told_are_all_kept_while_a_person_is_held(url: str) -> None:
    rows(
        url,
        "SET ROLE agent_owner; CREATE TABLE notes (id bigint PRIMARY KEY, body text, at timestamptz NOT NULL);"
        "COMMENT ON COLUMN notes.id IS 'none: number'; COMMENT ON COLUMN notes.body IS 'content: text'; COMMENT ON COLUMN notes.at IS 'none: when';"
        "SELECT ops.classify_table_v1('public.notes', strategy => 'delete', origin => 'provided', purposes => '{service}', legal_basis => 'contract');"
        "INSERT INTO notes VALUES (1, 'x', now() - interval '2 days'), (2, 'y', now());"
        "CREATE TABLE plain (id bigint PRIMARY KEY, at date NOT NULL); INSERT INTO plain VALUES (1, '2020-01-01');"
        "INSERT INTO retention_policies (table_name, rule, time_column, keep_for, action) VALUES"
        " ('notes', 'short', 'at', '1 day', 'delete'), ('plain', 'short', 'at', '1 day', 'delete')",
    )
    hold = place_hold("e", "3 O 12/26", "a claim", subject=7, url=url)
    assert done(url, "notes") == of("notes", "short", 0, 1)
    assert rows(url, "SELECT count(*) FROM plain") == [(0,)]
    release_hold(hold, "over", url=url)
    assert done(url, "notes") == of("notes", "short", 1)
    assert rows(url, "SELECT id FROM notes") == [(2,)]


def test_no_hold_comes_too_late(url: str) -> None:
    rows(url, FEATURES)
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_eraser; SELECT gone FROM ops.retain_v1('user_features', 'history')")
        assert cursor.fetchall() == [(24,)]
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            rows(url, "SET lock_timeout = '300ms'; SELECT ops.place_hold_v1('{e}', 'law', 'a claim', 1)")
        connection.rollback()
    place_hold("e", "law", "a claim", subject=1, url=url)
    assert done(url, "user_features") == of("user_features", "history", 16, 8)


def test_a_row_stays_while_younger_ones_refer_to_it(url: str) -> None:
    """The second conversation has a message of today, which a cascade would take along."""
    rows(url, CONVERSATIONS)
    assert done(url, "agent_conversations", dry_run=True) == of("agent_conversations", "history", 1, 0, 2)
    found = {one.table: one for one in apply_retention(url)}
    assert found["agent_conversations"] == of("agent_conversations", "history", 2, 0, 1)
    assert found["agent_messages"] == of("agent_messages", "history", 2)
    assert rows(url, "SELECT user_id, seq FROM agent_messages") == [(2, 2)]
    assert rows(url, "SELECT user_id FROM agent_conversations") == [(2,)]


def test_a_row_that_somebody_refers_to_this_moment_is_left(url: str) -> None:
    rows(url, CONVERSATIONS)
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts) VALUES (3, 3, 1, 'user', '[]')"
        )
        assert done(url, "agent_conversations") == of("agent_conversations", "history", 1, 0, 1)
        connection.commit()
    assert rows(url, "SELECT user_id FROM agent_conversations ORDER BY 1") == [(2,), (3,)]
    assert rows(url, "SELECT user_id FROM agent_messages ORDER BY 1") == [(2,), (3,)]


def test_who_was_erased_long_ago_leaves_no_number_in_the_trail(url: str) -> None:
    rows(
        url,
        "INSERT INTO users (id, status, erased_at) VALUES (880000222, 'erased', now() - interval '6 years'), (5, 'erased', now());"
        "INSERT INTO audit_log (entity_type, entity_id, action, actor_type) VALUES ('user', 5, 'read', 'service')",
    )
    assert done(url, "users") == of("users", "erased", 1)
    assert rows(url, "SELECT id FROM users") == [(5,)]
    assert rows(
        url,
        "SELECT action::text FROM audit_log WHERE entity_type = 'user' AND entity_id = 0 ORDER BY id DESC LIMIT 1",
    ) == [("delete",)]
    assert rows(url, "SELECT count(*) FROM audit_log WHERE entity_id = 880000222") == [(0,)]
    assert rows(url, "SELECT count(*) > 0 FROM audit_log WHERE entity_id = 5") == [(True,)]


def test_health_has_nothing_to_say_afterwards(url: str) -> None:
    rows(url, FEATURES)
    assert [one.subject.name for one in check_health(url=url, only="app.retention_overdue").findings] == [
        "user_features.history"
    ]
    apply_retention(url)
    assert check_health(url=url, only="app.retention_overdue").findings == ()


def test_a_day_a_timestamp_and_a_partitioned_table_are_aged_alike(url: str) -> None:
    old = datetime.now(timezone.utc) - timedelta(hours=30)
    rows(
        url,
        "SET ROLE agent_owner; CREATE TABLE days (id int PRIMARY KEY, at timestamp NOT NULL) PARTITION BY RANGE (id);"
        "CREATE TABLE days_a PARTITION OF days FOR VALUES FROM (0) TO (3); CREATE TABLE days_b PARTITION OF days DEFAULT;"
        "CREATE INDEX days_at_idx ON days (at);"
        "INSERT INTO retention_policies (table_name, rule, time_column, keep_for, action) VALUES ('days', 'short', 'at', '1 day', 'delete')",
    )
    for number in range(6):
        rows(
            url,
            "INSERT INTO days VALUES (%s, %s)",
            (number, old.replace(tzinfo=None) if number % 2 else datetime.now()),
        )
    assert done(url, "days", batch_rows=1) == of("days", "short", 3)
    assert rows(url, "SELECT id FROM days ORDER BY 1") == [(0,), (2,), (4,)]


def test_a_batch_of_nothing_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        apply_retention(url, batch_rows=0)


def test_a_partition_is_kept_while_a_hold_keeps_a_row_of_it_attached_or_not(url: str, tmp_path: Path) -> None:
    name = old_month(url, 20)
    others = place_hold("e", "3 O 12/26", "a claim", subject=99, url=url)
    hold = place_hold("e", "3 O 12/26", "a claim", subject=2, url=url)
    assert maintained(url, name, archive=tmp_path) == {("kept", name, f"hold {hold} keeps rows of it")}
    release_hold(hold, "over", url=url)
    assert {what for what, *_ in maintained(url, name, archive=tmp_path)} == {"detached", "archived", "kept"}
    ((key,),) = rows(url, f"SELECT jsonb_build_object('user_id', user_id, 'id', id) FROM {name} LIMIT 1")
    late = place_hold("e", "3 O 12/26", "a claim", table="public.analytics", key=key, url=url)  # type: ignore[arg-type]
    rows(url, "UPDATE ops.partition_policy SET grace = '0'")
    assert maintained(url, name, archive=tmp_path) == {("kept", name, f"hold {late} keeps rows of it")}
    release_hold(late, "over", url=url)
    assert maintained(url, name, archive=tmp_path) == {("dropped", name, None)}
    assert others in [one.number for one in held_now(url=url)]


def test_the_trail_of_a_person_is_kept_by_the_number_it_names_them_by(url: str) -> None:
    rows(url, PEOPLE)
    asked = "SELECT ops.hold_on_v1(tableoid::regclass, 'audit_log') FROM audit_log WHERE entity_type = 'user' LIMIT 1"
    assert rows(url, asked) == [(None,)]
    place_hold("e", "3 O 12/26", "a claim", subject=99, url=url)
    assert rows(url, asked) == [(None,)]
    hold = place_hold("e", "3 O 12/26", "a claim", subject=1, url=url)
    assert rows(url, asked) == [(hold,)]


def test_a_run_that_is_killed_has_lost_one_batch_and_the_next_one_goes_on(
    url: str, processes: Processes
) -> None:
    rows(url, FEATURES)
    rows(
        url,
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN OLD; END';"
        "CREATE TRIGGER slowly BEFORE DELETE ON user_features FOR EACH ROW EXECUTE FUNCTION slowly()",
    )
    left = "SELECT count(*) FROM user_features"
    program = f"from {apply_retention.__module__} import apply_retention; apply_retention(batch_rows=1)"
    process = processes.start(sys.executable, "-c", program, url=url)
    until(lambda: rows(url, left) != [(60,)])
    process.kill()
    process.wait()
    ((stopped_at,),) = rows(url, left)
    assert 36 < int(str(stopped_at)) < 60
    rows(url, "ALTER TABLE user_features DISABLE TRIGGER slowly")
    # The server notices a dead client after a while; what that one holds is left to the next run.
    until(lambda: done(url, "user_features").failed is False and rows(url, left) == [(36,)])
