"""Redaction: what could name somebody goes for good, the entry goes on to be proved, and that it was done is told."""

from __future__ import annotations

import psycopg2
import pytest

from spotify_ai_agent_migrations.versions.audit_trail.run import redact, seal
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, PrivilegeError
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from support import connected, rows, until

# What a commitment is computed from; of a redacted entry, what stands for the parts that are gone.
STANDS = """
    SELECT bool_and(entry.commitment = ops.audit_commitment_v1(
               entry.id, entry.xid, entry.created_at, entry.entity_type, entry.action, entry.actor_type, entry.actor_ref,
               entry.subject_ref, entry.changed_columns,
               coalesce(entry.redacted, ops.audit_private_v1(entry.salt, entry.entity_id, entry.entity_key, entry.request_id, entry.payload))))
      FROM audit_log AS entry
"""
FULL = """
    INSERT INTO audit_log (entity_type, entity_id, action, actor_type, subject_ref, entity_key, request_id, payload)
    SELECT 'user', n, 'update', 'user', n, 'key ' || n, gen_random_uuid(), '{"a": 1}' FROM generate_series(1, 1000) AS n
    RETURNING id
"""


@pytest.fixture
def full(url: str, key: SigningKey) -> list[int]:
    """The numbers of a thousand sealed entries."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_owner")
        cursor.execute(FULL)
        numbers = [number for (number,) in cursor.fetchall()]
    seal(url, key=key)
    return numbers


def test_a_thousand_redactions_leave_nothing_to_guess_from_and_every_entry_proved(
    url: str, full: list[int]
) -> None:
    before = rows(url, "SELECT id, commitment FROM audit_log ORDER BY id")
    assert redact(full[:999], url) == 999
    assert rows(
        url,
        "SELECT entity_id, entity_key, request_id, payload, salt, count(*), count(DISTINCT redacted)"
        " FROM audit_log WHERE redacted IS NOT NULL GROUP BY 1, 2, 3, 4, 5",
    ) == [(0, None, None, None, None, 999, 999)]
    assert rows(url, "SELECT entity_id, entity_key FROM audit_log WHERE id = %s", (full[999],)) == [
        (1000, "key 1000")
    ]
    assert rows(url, "SELECT id, commitment FROM audit_log WHERE id <= %s ORDER BY id", (full[-1],)) == before
    assert rows(url, STANDS) == [(True,)]


def test_each_redaction_is_an_entry_that_names_what_it_took_from_which(url: str, full: list[int]) -> None:
    redact([full[3], full[1]], url)
    told = rows(
        url,
        "SELECT entity_type, entity_id, subject_ref, actor_type::text, changed_columns, actor_ref = (SELECT audit_ref FROM ops.pseudonyms WHERE role_name = session_user)"
        " FROM audit_log WHERE action = 'redact' ORDER BY entity_id",
    )
    took = ["entity_id", "entity_key", "request_id", "payload", "salt"]
    assert told == [("audit_entry", full[at], at + 1, "service", took, True) for at in (1, 3)]


def test_what_was_redacted_before_is_not_counted_again(url: str, full: list[int]) -> None:
    assert redact(full[:2], url) == 2
    once = rows(url, "SELECT id, redacted FROM audit_log ORDER BY id")
    assert redact([full[0], full[1], full[1]], url) == 0
    assert rows(url, "SELECT id, redacted FROM audit_log ORDER BY id") == once
    assert redact([*full[:2], full[2]], url) == 1


def test_an_entry_that_nobody_knows_is_an_error_and_nothing_is_redacted(
    url: str, full: list[int], key: SigningKey
) -> None:
    rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
    ((unsealed,),) = rows(url, "SELECT max(id) FROM audit_log")
    said = {}
    for called, numbers in {
        "unknown": [full[0], 10**12],
        "unsealed": [full[0], int(str(unsealed))],
        "none": [],
    }.items():
        with pytest.raises(DatabaseError) as caught:
            redact(numbers, url)
        said[called] = (caught.value.problem, caught.value.hint)
    assert said == {
        "unknown": (
            "1 of 2 entries are not in the trail",
            "name entries by their numbers; those of a partition that was put away are not there",
        ),
        "unsealed": (
            "1 of 2 entries are not sealed yet",
            "agentdb audit-trail seal, and redact them then",
        ),
        "none": ("no entry of the trail was named", "name entries by their numbers"),
    }
    assert rows(url, "SELECT count(*) FROM audit_log WHERE redacted IS NOT NULL OR action = 'redact'") == [
        (0,)
    ]
    seal(url, key=key)
    assert redact([int(str(unsealed))], url) == 1


def test_a_sealed_entry_that_is_gone_is_an_error(url: str, full: list[int], key: SigningKey) -> None:
    rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
    ((late,),) = rows(url, "SELECT max(id) FROM audit_log")
    seal(url, key=key)
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_owner")
        cursor.execute("DELETE FROM audit_log WHERE id IN (%s, %s)", (late, full[0]))
    for number in (int(str(late)), full[0]):
        with pytest.raises(DatabaseError, match="1 of 1 entries are not in the trail"):
            redact([number], url)


def test_to_redact_an_entry_reads_what_was_sealed_with_it_and_not_the_whole_trail(
    url: str, full: list[int], key: SigningKey
) -> None:
    rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
    ((late,),) = rows(url, "SELECT max(id) FROM audit_log")
    seal(url, key=key)
    rows(url, "ANALYZE audit_log")
    # A session that has gone has told what it read.
    until(
        lambda: (
            rows(url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()") == [(1,)]
        )
    )

    def read_by(number: object) -> int:
        with connected(url) as connection, connection.cursor() as cursor:
            read = "SELECT sum(seq_tup_read + idx_tup_fetch)::int FROM pg_stat_user_tables WHERE relname LIKE 'audit_log%%'"
            cursor.execute(read)
            ((before,),) = cursor.fetchall()
            cursor.execute("SELECT ops.redact_audit_v1(ARRAY[%s])", (number,))
            assert cursor.fetchall() == [(1,)]
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute(read)
            ((after,),) = cursor.fetchall()
        return int(after) - int(before)

    assert len(full) == 1000
    assert 0 < read_by(late) < 20


@pytest.mark.parametrize(
    "role", ["agent_app", "agent_readonly", "agent_auditor", "agent_sealer", "agent_monitor"]
)
def test_nobody_but_who_answers_for_privacy_redacts(url: str, full: list[int], role: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT ops.redact_audit_v1(ARRAY[%s])", (full[0],))
        cursor.execute("RESET ROLE; SET ROLE agent_privacy")
        cursor.execute("SELECT ops.redact_audit_v1(ARRAY[%s])", (full[0],))
        assert cursor.fetchall() == [(1,)]
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("UPDATE audit_log SET payload = NULL")


def test_a_login_that_may_not_redact_is_told_so(sealer: str, full: list[int]) -> None:
    with pytest.raises(PrivilegeError):
        redact(full[:1], sealer)
