"""Every text column takes every string as it is, or refuses it by a constraint that has a name."""

from __future__ import annotations

import json
import unicodedata

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from support import connected, data, rows

OWN = [
    "e\u0301", "\u0301", "\u202eabc", "a\u0000b".replace("\u0000", "\u2400"), "\ufeff", "\ud7ff", "\U0001f3b5" * 30, "x" * 5_000,
    "I\u0307", "ﬁn", "Zoë", "a\tb\nc\rd", "'; DROP TABLE users; --", "{}", "NULL", "\\N", "\\.",
]  # fmt: skip

# One good row a table; each column of it is then given every string in turn.
SAMPLES = {
    "agent_conversations": "(user_id, id, agent, locale) VALUES (1, 2, 'dj', 'en')",
    "agent_messages": "(user_id, conversation_id, seq, role, parts) VALUES (1, 1, 2, 'user', '[{}]')",
    "agent_tool_calls": "(user_id, conversation_id, seq, call_id, tool_name, arguments) VALUES (1, 1, 1, 'c', 't', '{}')",
    "ai_models": "(id, name, task, owner, description) VALUES (2, 'm2', 'llm', 'team', 'a model')",
    "albums": "(id, title, source) VALUES (2, 't', 'internal')",
    "analytics": "(user_id, event_name) VALUES (1, 'a.b')",
    "artists": "(id, name, sort_name, source) VALUES (2, 'n', 'n', 'internal')",
    "audit_log": "(entity_id, entity_type, action, actor_type) VALUES (1, 'x', 'read', 'service')",
    "consent_events": "(user_id, purpose, granted, policy_version, locale, channel) VALUES (1, 'marketing', true, '1', 'en', 'web')",
    "consent_purposes": "(code, legal_basis, description) VALUES ('x', 'consent', 'x')",
    "consent_texts": "(purpose, version, locale, body, sha256) VALUES ('marketing', '1', 'en', 'x', sha256('x'))",
    "content_translations": "(entity_type, entity_key, field, locale, value) VALUES ('ui', 'k', 'f', 'fr', 'v')",
    "countries": "(code, name) VALUES ('ZZ', 'x')",
    "data_subject_request_events": "(request_id, kind, happened_at, actor_ref) VALUES (1, 'noted', now(), 1)",
    "data_subject_requests": "(id, user_id, kind, received_at, time_zone) VALUES (2, 1, 'access', now(), 'UTC')",
    "data_sources": "(code, licence) VALUES ('x', 'MIT')",
    "feature_definitions": "(name, version, entity, dtype, description, source) VALUES ('f', 2, 'track', 'number', 'd', 'internal')",
    "languages": "(code, name) VALUES ('zz', 'x')",
    "listens": "(user_id, listened_at) VALUES (1, now())",
    "locales": "(tag) VALUES ('zz')",
    "market_availability": "(album_id, country_code, available, source) VALUES (1, 'FR', '[2020-01-01,)', 'internal')",
    "model_aliases": "(model_id, alias, version_id) VALUES (1, 'shadow', 1)",
    "model_version_sources": "(model_version_id, source) VALUES (1, 'internal')",
    "model_versions": "(id, model_id, version) VALUES (2, 1, 2)",
    "objections": "(user_id, purpose) VALUES (1, 'marketing')",
    "places": "(name, source) VALUES ('x', 'geonames')",
    "playlists": "(user_id, id, name) VALUES (1, 1, 'x')",
    "prompt_labels": "(name, locale, label, prompt_version_id) VALUES ('p', 'en', 'l', 1)",
    "prompt_versions": "(id, name, version, locale, template) VALUES (2, 'p', 2, 'en', '{}')",
    "recommendation_reasons": "(code, locale, explanation) VALUES ('x_y', 'en', 'x')",
    "recommendations": """(user_id, model_version_id, surface, items, profiling_used)
                          VALUES (1, 1, 'home', '[{"track": 1, "reasons": ["popularity"]}]', false)""",
    "retention_policies": "(table_name, rule, time_column, keep_for, action) VALUES ('x', 'y', 'z', '1 day', 'delete')",
    "track_artists": "(track_id, position, artist_id) VALUES (1, 0, 1)",
    "track_audio_features": "(track_id, source) VALUES (1, 'internal')",
    "track_features": "(track_id, feature, event_at, value) VALUES (1, 'f@1', now(), '1')",
    "tracks": "(id, album_id, title, source) VALUES (2, 1, 't', 'internal')",
    "user_features": "(user_id, feature, event_at, value) VALUES (1, 'u@1', now(), '1')",
    "user_identities": "(user_id, provider, provider_user_id) VALUES (1, 'spotify', 'x')",
    "users": "(id, display_name) VALUES (2, 'x')",
}  # fmt: skip

# These take no row but by their own rules: what is written there was written to another table first.
DERIVED = {"consent", "track_embeddings"}
# A trigger says what stands in these.
COMPUTED = {("data_subject_requests", "due_note"), ("users", "email_canonical")}

BEFORE = """
    INSERT INTO users (id) VALUES (1);
    INSERT INTO artists (id, name, sort_name, source) VALUES (1, 'n', 'n', 'internal');
    INSERT INTO albums (id, title, source) VALUES (1, 't', 'internal');
    INSERT INTO tracks (id, album_id, title, source) VALUES (1, 1, 't', 'internal');
    INSERT INTO ai_models (id, name, task, owner, description) VALUES (1, 'm', 'llm', 'team', 'a model');
    INSERT INTO model_versions (id, model_id, version, status, artifact_uri, artifact_sha256)
    VALUES (1, 1, 1, 'ready', 's3://m', sha256('m'));
    INSERT INTO prompt_versions (id, name, version, locale, template) VALUES (1, 'p', 1, 'en', '{}');
    INSERT INTO feature_definitions (name, version, entity, dtype, description, source)
    VALUES ('f', 1, 'track', 'number', 'd', 'internal'), ('u', 1, 'user', 'number', 'd', 'internal');
    INSERT INTO agent_conversations (user_id, id, agent, locale) VALUES (1, 1, 'dj', 'en');
    INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts, model_version_id)
    VALUES (1, 1, 1, 'assistant', '[{}]', 1);
    INSERT INTO data_subject_requests (id, user_id, kind, received_at, time_zone) VALUES (1, 1, 'access', now(), 'UTC');
"""

# Executes a statement with each text and takes it back: what it returned, or how it was refused.
TRIED = """
    CREATE FUNCTION tried(statement text, given text[])
    RETURNS TABLE (kept_as text, name text, hint text, message text) LANGUAGE plpgsql AS $$
    DECLARE
        one text;
    BEGIN
        FOREACH one IN ARRAY given LOOP
            SELECT NULL, NULL, NULL, NULL INTO kept_as, name, hint, message;
            BEGIN
                EXECUTE format(statement, one) INTO STRICT kept_as;
                RAISE SQLSTATE 'UNDO1';
            EXCEPTION
                WHEN SQLSTATE 'UNDO1' THEN NULL;
                WHEN OTHERS THEN
                    GET STACKED DIAGNOSTICS name = CONSTRAINT_NAME, hint = PG_EXCEPTION_HINT, message = MESSAGE_TEXT;
            END;
            RETURN NEXT;
        END LOOP;
    END
    $$
"""


def strings() -> list[str]:
    naughty = json.loads(data("naughty_strings", "blns.json").read_text(encoding="utf-8"))
    return [text for text in [*naughty, *OWN] if "\x00" not in text]


def columns(url: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in rows(
        url,
        "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " JOIN pg_type ON pg_type.oid = atttypid"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' AND typcategory = 'S' AND relname <> 'alembic_version'"
        " ORDER BY relname, attnum",
    ):
        found.setdefault(str(table), []).append(str(column))
    return found


def test_every_table_with_text_has_a_sample(url: str) -> None:
    assert set(columns(url)) == set(SAMPLES) | DERIVED
    assert len(columns(url)) > 25


def test_every_text_column_keeps_a_string_or_refuses_it_by_name(url: str) -> None:
    given = strings()
    assert len(given) > 500
    kept: dict[tuple[str, str], int] = {}
    rows(url, TRIED)
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        for table, names in columns(url).items():
            if table in DERIVED:
                continue
            cursor.execute("SET LOCAL ROLE agent_owner")
            cursor.execute(BEFORE)
            cursor.execute(f"INSERT INTO {table} {SAMPLES[table]}")
            for name in names:
                if (table, name) in COMPUTED:
                    continue
                kept[table, name] = _keeps(cursor, table, name, given)
            connection.rollback()
    # What people write is kept; what is a code takes codes only.
    free = [("users", "display_name"), ("playlists", "name"), ("artists", "name"), ("tracks", "title"),
            ("places", "name"), ("content_translations", "value"), ("listens", "client")]  # fmt: skip
    composed = sum(1 for text in given if unicodedata.is_normalized("NFC", text) and 1 <= len(text) <= 100)
    for column in free:
        assert kept[column] >= composed, (column, kept[column], composed)
    for column in [
        ("countries", "code"),
        ("locales", "tag"),
        ("tracks", "isrc"),
        ("analytics", "event_name"),
    ]:
        assert kept[column] < 20, (column, kept[column])


def _keeps(cursor: Cursor, table: str, column: str, given: list[str]) -> int:
    """Write each string into the sample row and back out; count those kept as they are, none refused but by name."""
    cursor.execute(sql.SQL("SELECT max(ctid)::text FROM {}").format(sql.Identifier(table)))
    ((row,),) = cursor.fetchall()
    update = sql.SQL("UPDATE {} SET {} = %L WHERE ctid = {} RETURNING {}").format(
        sql.Identifier(table), sql.Identifier(column), sql.Literal(row), sql.Identifier(column)
    )
    cursor.execute("SELECT * FROM tried(%s, %s)", (update.as_string(cursor), given))
    kept = 0
    for text, (found, name, hint, message) in zip(given, cursor.fetchall(), strict=True):
        if message is None:
            assert found == text, (table, column, text)
            kept += 1
            continue
        # A check, a foreign key, a rule of a trigger: it says which, and never the value.
        assert name or hint, (table, column, text, message)
        if column != "status" and len(text) > 3 and not text.isascii():
            assert text not in message, (table, column, text)
    return kept


@pytest.mark.parametrize("form", ["NFD", "NFC"])
def test_text_is_in_one_form(url: str, form: str) -> None:
    text = unicodedata.normalize(form, "Björk é Ñ")  # type: ignore[arg-type]
    insert = "INSERT INTO artists (name, sort_name, source) VALUES (%s, 'x', 'internal') RETURNING name"
    if form == "NFC":
        assert rows(url, insert, (text,)) == [(text,)]
    else:
        with pytest.raises(psycopg2.errors.CheckViolation, match="nfc_text_check"):
            rows(url, insert, (text,))
