"""The revision with rows in everything it made: back and up again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, schema_objects
from support import connected, rows, run_alembic

# An answer about a purpose of this revision, whose person was erased since: the proof of it stays.
FILLED = """
INSERT INTO users (id) VALUES (1), (2);
SELECT publish_consent_text_v1('analytics', '1', 'en', 'May we?'), grant_consent_v1(1, 'analytics');
SELECT withdraw_consent_v1(1, 'security');
DELETE FROM consent WHERE purpose = 'security';
SELECT ops.permit_restricted_v1(ops.restrict_person_v1(1, 'unlawful', file_request_v1(1, 'restriction')),
                                'legal_claims', 'security', 'a case', now() + INTERVAL '1 hour');
SELECT object_to_v1(2, 'security', 'my situation', ARRAY[sha256('k')], 'k1');
SELECT ops.place_hold_v1('{e}', 'a law', 'a case', 2), ops.place_hold_v1('{e}', 'a law', 'a case', table_name => 'public.listens');
INSERT INTO ops.controller (name, address, contact) VALUES ('n', 'a', 'c');
INSERT INTO ops.recipients (code, name, kind, purpose, country_code, categories)
SELECT 'r', 'r', 'processor', 'p', code, '{contact}' FROM countries LIMIT 1;
SELECT keep_subject_key_v1(id, gen_random_uuid(), decode(repeat('00', 60), 'hex'), repeat('0', 16)) FROM users;
DELETE FROM ops.subject_keys WHERE subject_id = 2;
WITH begun AS (
    INSERT INTO ops.erasures (subject_id, subject_created_at, reason, requested_at, requested_by, plan, plan_hash)
    SELECT id, created_at, 'request', now(), 1, '{}', sha256('') FROM users WHERE id = 2
    RETURNING id)
INSERT INTO ops.erasure_notices (id, erasure_id, recipient, key_id, payload)
SELECT gen_random_uuid(), id, 'r', repeat('0', 16), 'x' FROM begun;
"""


def schema(url: str) -> tuple[SchemaObject, ...]:
    with connected(url, autocommit=False) as connection:
        return schema_objects(connection)


def go(*arguments: str, url: str) -> None:
    done = run_alembic(*arguments, url=url)
    assert done.returncode == 0, done.stderr


def test_it_goes_back_with_rows_in_all_of_it_and_up_again(url: str) -> None:
    at_head = schema(url)
    rows(url, FILLED)
    go("downgrade", "009", url=url)
    purposes = "SELECT code FROM consent_purposes WHERE code IN ('security', 'accountability')"
    assert rows(url, purposes) == [("security",)]
    assert rows(url, "SELECT may_process_v1(1, 'service')") == [(True,)]
    assert rows(url, "SELECT count(*) FROM consent_events") == [(2,)]
    go("upgrade", "head", url=url)
    assert schema(url) == at_head
    assert len(rows(url, purposes)) == 2


OWNED = ("ALTER DATABASE {database} OWNER TO {role}", "GRANT agent_owner TO {role} WITH ADMIN OPTION")


@pytest.mark.soak
def test_who_is_no_superuser_takes_it_back_and_up_again_twice(
    empty_url: str, login: Callable[..., str]
) -> None:
    rows(empty_url, "DO $$ BEGIN CREATE ROLE agent_owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    by = login("CREATEROLE", grants=OWNED)
    go("upgrade", "head", url=by)
    at_head = schema(empty_url)
    rows(empty_url, FILLED)
    for _ in range(2):
        go("downgrade", "009", url=by)
        go("upgrade", "head", url=by)
        assert schema(empty_url) == at_head
    assert rows(empty_url, "SELECT count(*) FROM ops.erasures") == [(0,)]
    assert rows(empty_url, "SELECT ops.gate_is_open_v1()") == [(True,)]
