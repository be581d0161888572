"""Recipients: who is told of an erasure, what of, and what the database keeps of it until then."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import pending, queue
from support import connected, rows

_ERASURE = """
INSERT INTO ops.erasures (id, subject_id, subject_created_at, reason, requested_at, requested_by, plan, plan_hash)
SELECT %s, id, created_at, 'request', now(), 1, '{}', sha256('') FROM users WHERE id = %s
"""
_RECIPIENTS = """
INSERT INTO ops.recipients (code, name, kind, purpose, country_code, categories, notice_channel, notice_url, knows_by) VALUES
    ('mailer', 'Mailer', 'processor', 'newsletters', 'FR', '{contact}', 'webhook', 'https://mailer.example/erasures',
     '[{"as": "customer", "table": "public.users", "column": "id"}, {"as": "email", "table": "public.users", "column": "email"}]'),
    ('spotify', 'Spotify', 'controller', 'playback', 'SE', '{identifier}', 'command', NULL,
     '[{"as": "account", "table": "public.user_identities", "column": "provider_user_id", "where": {"provider": "spotify"}}]'),
    ('apple', 'Apple', 'controller', 'playback', 'IE', '{identifier}', 'hand', NULL,
     '[{"as": "account", "table": "public.user_identities", "column": "provider_user_id", "where": {"provider": "apple"}}]'),
    ('host', 'Host', 'processor', 'hosting', 'FR', '{identifier}', 'none', NULL, '[]'),
    ('court', 'Court', 'authority', 'inquiries', 'FR', '{identifier}', NULL, NULL, '[]')
"""


@dataclass(frozen=True)
class Keys:
    ledger: tuple[bytes, ...]


KEYS = Keys((bytes(range(32)),))


def queued(url: str, subject: int, keys: Keys = KEYS) -> tuple[UUID, tuple[str, ...]]:
    """Begin an erasure and queue its notices."""
    erasure = uuid4()
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(_ERASURE, (str(erasure), subject))
        told = queue(cursor, erasure, subject, keys)
        assert queue(cursor, erasure, subject, keys) == told
        assert pending(cursor, erasure) == told
        connection.commit()
    return erasure, told


@pytest.fixture
def scene(entangled: str) -> str:
    rows(entangled, _RECIPIENTS)
    return entangled


def test_who_knows_the_person_is_told_and_nobody_else(scene: str) -> None:
    ada, told = queued(scene, ADA.id)
    assert told == ("mailer", "spotify")
    assert rows(scene, "SELECT recipient, outcome, attempts FROM ops.erasure_notices WHERE erasure_id = %s ORDER BY 1", (str(ada),)) == [
        ("mailer", None, 0), ("spotify", None, 0),
    ]  # fmt: skip


def test_nothing_of_the_person_can_be_read_in_what_is_queued(scene: str) -> None:
    queued(scene, ADA.id)
    ((text,),) = rows(
        scene, "SELECT string_agg(n::text || encode(payload, 'escape'), '') FROM ops.erasure_notices AS n"
    )
    assert "mailer" in str(text)
    assert [word for word in (*ADA.identifiers, *BOB.identifiers) if word in str(text)] == []


def test_an_erasure_of_nobodys_recipients_needs_no_catalogue(entangled: str) -> None:
    assert queued(entangled, ADA.id)[1] == ()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "notice_channel = NULL, notice_url = NULL",
            'recipient "mailer": nobody has decided how it is told of an erasure',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.users", "column": "gone"}]'""",
            'recipient "mailer": knows people by the column "gone" of "public.users", which the catalogue lacks',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.tracks", "column": "title"}]'""",
            'recipient "mailer": knows people by "public.tracks", where no row is of one person alone',
        ),
        (
            """knows_by = '[{"as": "x", "table": "public.users"}]'""",
            'recipient "mailer": knows people by something that cannot be read',
        ),
    ],
)
def test_whoever_could_not_be_told_afterwards_stops_the_erasure_before(
    scene: str, change: str, problem: str
) -> None:
    rows(scene, f"UPDATE ops.recipients SET {change} WHERE code = 'mailer'")
    with pytest.raises(SubjectError) as caught:
        queued(scene, ADA.id)
    assert caught.value.problem == problem
    assert rows(scene, "SELECT FROM ops.erasure_notices") == []
