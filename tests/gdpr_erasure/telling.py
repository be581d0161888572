"""Recipients of all kinds, and erasures that are begun and no more."""

from __future__ import annotations

from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import pending, queue
from support import connected

KEYS = Keys(SigningKey(Ed25519PrivateKey.generate()), (bytes(range(32)),))
RECIPIENTS = """
INSERT INTO ops.recipients (code, name, kind, purpose, country_code, categories, notice_channel, notice_url, knows_by) VALUES
    ('mailer', 'Mailer', 'processor', 'newsletters', 'FR', '{contact}', 'webhook', 'https://mailer.example/erasures',
     '[{"as": "customer", "table": "public.users", "column": "id"}, {"as": "email", "table": "public.users", "column": "email"}]'),
    ('spotify', 'Spotify', 'controller', 'playback', 'SE', '{identifier}', 'command', NULL,
     '[{"as": "account", "table": "public.user_identities", "column": "provider_user_id", "where": {"provider": "spotify"}}]'),
    ('apple', 'Apple', 'controller', 'playback', 'IE', '{identifier}', 'command', NULL,
     '[{"as": "account", "table": "public.user_identities", "column": "provider_user_id", "where": {"provider": "apple"}}]'),
    ('printer', 'Printer', 'processor', 'letters', 'FR', '{contact}', 'hand', NULL,
     '[{"as": "name", "table": "public.users", "column": "display_name"}]'),
    ('host', 'Host', 'processor', 'hosting', 'FR', '{identifier}', 'none', NULL, '[]'),
    ('court', 'Court', 'authority', 'inquiries', 'FR', '{identifier}', NULL, NULL, '[]')
"""
_ERASURE = """
INSERT INTO ops.erasures (id, subject_id, subject_created_at, reason, requested_at, requested_by, plan, plan_hash)
SELECT %s, id, created_at, 'request', now(), 1, '{}', sha256('') FROM users WHERE id = %s
"""


def begun(cursor: Cursor, subject: int, keys: Keys = KEYS) -> tuple[UUID, tuple[str, ...]]:
    """Begin an erasure and queue its notices, twice; return its number and who is told."""
    erasure = uuid4()
    cursor.execute(_ERASURE, (str(erasure), subject))
    cursor.execute("SET LOCAL ROLE agent_eraser")
    told = queue(cursor, erasure, subject, keys)
    assert queue(cursor, erasure, subject, keys) == told
    assert pending(cursor, erasure) == told
    return erasure, told


def queued(url: str, subject: int, keys: Keys = KEYS) -> tuple[UUID, tuple[str, ...]]:
    """Begin an erasure, as `begun` does, for good."""
    with connected(url, autocommit=False) as connection, connection, connection.cursor() as cursor:
        return begun(cursor, subject, keys)
