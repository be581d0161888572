"""Holds: what is kept although it would be erased, of whom or where, and until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import psycopg2
import pytest

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.gdpr_erasure.holds import (
    except_from_erasure,
    held_now,
    holds_of_row,
    place_hold,
    release_hold,
)
from support import connected, rows

SOON = datetime.now(timezone.utc) + timedelta(days=30)


def test_a_hold_keeps_a_person_a_table_a_column_or_a_row(url: str) -> None:
    person = place_hold("e", "Regional court, 3 O 12/26", "a claim", subject=7, url=url)
    table = place_hold("b", "§ 147 AO", "accounts", table="public.listens", url=url)
    column = place_hold("b", "§ 147 AO", "accounts", subject=7, table="public.users", column="email", url=url)
    row = place_hold("be", "§ 147 AO", "a claim", table="public.playlists", key={"id": 5}, url=url)
    assert [one.number for one in held_now(url=url)] == [person, table, column, row]
    assert [(one.subject, one.table, one.column, one.key, one.basis) for one in held_now(url=url)] == [
        (7, None, None, None, ("e",)),
        (None, "public.listens", None, None, ("b",)),
        (7, "public.users", "email", None, ("b",)),
        (None, "public.playlists", None, {"id": 5}, ("b", "e")),
    ]
    assert [one.number for one in held_now(8, url=url)] == [table, row]
    assert holds_of_row(8, "public.listens", {"user_id": 8, "id": 1}, url=url) == (table,)
    assert holds_of_row(8, "public.users", {"id": 8}, url=url) == ()
    assert holds_of_row(8, "public.playlists", {"user_id": 8, "id": 5}, url=url) == (row,)
    assert holds_of_row(8, "public.playlists", {"user_id": 8, "id": 6}, url=url) == ()
    assert holds_of_row(7, "public.users", {"id": 7}, url=url) == (person, column)
    assert holds_of_row(7, "public.users", {"id": 7}, "email", url=url) == (person, column)
    assert holds_of_row(7, "public.users", {"id": 7}, "display_name", url=url) == (person,)


def test_the_key_of_a_row_is_compared_as_its_table_spells_it(url: str) -> None:
    """An analytics row has an instant in its key, which every session spells in its own zone."""
    key = {"user_id": "7", "id": 3, "created_at": "2026-02-01T12:00:00+02:00"}
    hold = place_hold("e", "law", "a claim", table="public.analytics", key=key, url=url)
    (found,) = held_now(url=url)
    assert found.key == {"id": 3, "user_id": 7, "created_at": "2026-02-01T10:00:00+00:00"}
    rows(url, "INSERT INTO analytics (user_id, id, event_name, created_at) VALUES (7, 3, 'a.b', '2026-02-01 10:00+00')")  # fmt: skip
    asked = (
        "SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German';"
        "SELECT ops.holds_of_row_v1(7, 'public.analytics', to_jsonb(event) - 'properties') FROM analytics AS event"
    )
    assert rows(url, asked) == [([hold],)]


def test_a_hold_ends_when_it_is_released_or_over_and_its_row_stays(url: str) -> None:
    hold = place_hold("e", "law", "a claim", subject=7, url=url)
    brief = except_from_erasure("b", "law", "a rule", subject=7, expires_at=SOON, url=url)
    released = release_hold(hold, "settled", url=url)
    assert [one.number for one in held_now(url=url)] == [brief]
    state = "SELECT array_agg(hold_id ORDER BY hold_id) FROM ops.holds_v1(7, %s)"
    moment = timedelta(microseconds=1)
    assert rows(url, state, (released - moment,)) == [([hold, brief],)]
    assert rows(url, state, (released,)) == [([brief],)]
    assert rows(url, state, (SOON - moment,)) == [([brief],)]
    assert rows(url, state, (SOON,)) == [(None,)]
    assert rows(url, "SELECT released_at, release_reason, released_by IS NOT NULL FROM ops.legal_holds WHERE id = %s", (hold,)) == [(released, "settled", True)]  # fmt: skip
    with pytest.raises(DatabaseError, match=f"there is no hold {hold} to be released"):
        release_hold(hold, "again", url=url)


def test_what_keeps_nothing_that_can_be_named_is_refused(url: str) -> None:
    tries: tuple[tuple[Callable[[], int], str], ...] = (
        (lambda: place_hold("e", "law", "why", url=url), "legal_holds_subject_id_check"),
        (lambda: place_hold("x", "law", "why", subject=7, url=url), "legal_holds_basis_check"),
        (lambda: place_hold("", "law", "why", subject=7, url=url), "legal_holds_basis_check"),
        (lambda: place_hold("e", " ", "why", subject=7, url=url), "legal_holds_law_check"),
        (lambda: place_hold("e", "law", "", subject=7, url=url), "legal_holds_reason_check"),
        (lambda: place_hold("e", "law", "why", subject=7, key={"id": 1}, url=url), "legal_holds_table_name_check"),
        (lambda: place_hold("e", "law", "why", table="public.nowhere", url=url), 'there is no table "public.nowhere"'),
        (lambda: place_hold("e", "law", "why", table="public.users", column="x", url=url), 'table "public.users" has no column "x"'),
        (lambda: place_hold("e", "law", "why", table="public.users", key={"x": 1}, url=url), 'table "public.users" has no column "x"'),
        (lambda: place_hold("e", "law", "why", subject=7, expires_at=datetime(2020, 1, 1, tzinfo=timezone.utc), url=url), "the hold would be over already"),
        (lambda: except_from_erasure("b", "law", "why", subject=7, expires_at=None, url=url), "legal_holds_expires_at_check"),  # type: ignore[arg-type]
    )  # fmt: skip
    for refused, message in tries:
        with pytest.raises(DatabaseError, match=message):
            refused()
    assert held_now(url=url) == ()


def test_holds_are_placed_and_released_by_whoever_answers_for_privacy_and_nobody_else(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_privacy")
        cursor.execute("SELECT ops.place_hold_v1('{e}', 'law', 'a secret reason', subject_id => 7)")
        cursor.execute("SELECT subject_id FROM ops.held_now")
        assert cursor.fetchall() == [(7,)]
        cursor.execute("SET ROLE agent_auditor; SELECT count(*) FROM ops.legal_holds")
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied"):
            cursor.execute("SELECT ops.release_hold_v1(1, 'no')")
        cursor.execute("SET ROLE agent_app")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="permission denied"):
            cursor.execute("SELECT FROM ops.legal_holds")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="is append-only"):
        rows(url, "DELETE FROM ops.legal_holds")
    assert rows(url, "SELECT action::text FROM audit_log WHERE entity_type = 'legal_hold'") == [("insert",)]
    assert rows(url, "SELECT count(*) FROM audit_log WHERE audit_log::text ~ 'a secret reason'") == [(0,)]
