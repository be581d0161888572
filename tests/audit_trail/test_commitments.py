"""What an entry commits to: the same bytes in SQL and in Python, whatever a session is set to."""

from __future__ import annotations

import uuid
from typing import Any

from spotify_ai_agent_migrations.versions.audit_trail.canonical import (
    Entry,
    commitment,
    microseconds,
    private_part,
)
from support import connected, rows

# One for each way in which a field can be there, or not, or hold what a carelessly joined text would mix up.
ENTRIES = """
    INSERT INTO public.audit_log (entity_type, entity_id, action, actor_type, actor_ref, subject_ref, changed_columns,
                           entity_key, request_id, payload, created_at)
    VALUES ('user', 1, 'update', 'user', 1, -1, E'{a,"b c","d\\\\"e",NULL}', 'key', '6f9619ff-8b86-4d01-b42d-00c04fc964ff', '{"b": 1.50, "a": [null, "é"]}', '2024-02-29 23:59:59.999999+02'),
           ('user', -9223372036854775808, 'delete', 'service', NULL, NULL, NULL, NULL, NULL, NULL, now()),
           ('', 9223372036854775807, 'redact', 'migration', NULL, 9223372036854775807, '{}', '', NULL, '""', '1969-12-31 23:00-11'),
           (E'日本\\t\\\\x00''', 0, 'login', 'agent', 0, NULL, '{é,"",null}', E'\\\\\\\\', '00000000-0000-0000-0000-000000000000', 'null', date_trunc('day', now()) + INTERVAL '1 microsecond');
"""
SETTINGS = {
    "TimeZone": "America/St_Johns", "DateStyle": "German, DMY", "IntervalStyle": "sql_standard", "bytea_output": "escape",
    "client_encoding": "LATIN1", "standard_conforming_strings": "off", "quote_all_identifiers": "on",
    "extra_float_digits": "-15", "search_path": "evil, pg_catalog", "xmlbinary": "hex",
    "backslash_quote": "on", "escape_string_warning": "off",
}  # fmt: skip
# Found before those of the catalog by whoever looks along the search path.
EVIL = """
    CREATE SCHEMA evil;
    CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\\x00'::bytea $$;
    CREATE FUNCTION evil.cat(bytea, bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT $1 $$;
    CREATE OPERATOR evil.|| (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = evil.cat);
    GRANT USAGE ON SCHEMA evil TO PUBLIC;
"""


def entries(url: str) -> list[tuple[Entry, bytes]]:
    found: list[Any] = rows(
        url,
        "SELECT id, xid::text::bigint, created_at, entity_type, action::text, actor_type::text, actor_ref, subject_ref, changed_columns::text,"
        " entity_id, entity_key, request_id::text, payload::text, salt, redacted, commitment FROM audit_log WHERE commitment IS NOT NULL ORDER BY id",
    )
    made = []
    values: list[Any]
    for *values, committed in found:
        values[2] = microseconds(values[2])
        values[11] = uuid.UUID(values[11]).bytes if values[11] else None
        values[13], values[14] = (None if part is None else bytes(part) for part in values[13:])
        made.append((Entry(*values), bytes(committed)))
    return made


def test_what_the_server_commits_to_is_what_python_computes_whatever_is_set(url: str) -> None:
    rows(url, EVIL)
    cases: list[dict[str, str]] = [{}, *({name: value} for name, value in SETTINGS.items()), SETTINGS]
    for settings in cases:
        with connected(url) as connection, connection.cursor() as cursor:
            cursor.execute("SET ROLE agent_owner")
            for name, value in settings.items():
                cursor.execute(
                    f"SET {name} = {value}" if name == "search_path" else f"SET {name} = '{value}'"
                )
            # The text of the statement is the client's own: how it is read is not what is tested.
            latin = ENTRIES.replace("日本", "ÀÿÉ") if "client_encoding" in settings else ENTRIES
            cursor.execute(latin)
    found = entries(url)[-4 * len(cases) :]
    assert [entry.action for entry, _ in found] == ["update", "delete", "redact", "login"] * len(cases)
    for entry, committed in found:
        assert entry.salt is not None
        assert len(entry.salt) == 16
        assert commitment(entry) == committed


def test_no_two_entries_share_a_salt_and_equal_ones_commit_to_different_hashes(url: str) -> None:
    rows(url, "INSERT INTO users (id, display_name) SELECT n, 'same' FROM generate_series(1, 500) AS n")
    rows(url, "UPDATE users SET display_name = 'other'")
    # What the revision itself wrote is among them.
    found = entries(url)
    assert [entry.entity_type for entry, _ in found].count("user") == 1000
    assert len({entry.salt for entry, _ in found}) == len({committed for _, committed in found}) == len(found)
    assert all(commitment(entry) == committed for entry, committed in found)


def test_what_is_put_back_keeps_what_it_has(url: str) -> None:
    rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
    before = entries(url)
    with connected(url, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE kept AS SELECT * FROM audit_log WHERE commitment IS NOT NULL; GRANT ALL ON kept TO agent_owner; SET ROLE agent_owner"
        )
        cursor.execute(
            "UPDATE kept SET salt = NULL, redacted = sha256('x') WHERE id = (SELECT max(id) FROM kept)"
        )
        cursor.execute("TRUNCATE audit_log; INSERT INTO audit_log SELECT * FROM kept")
        connection.commit()
    after = entries(url)
    assert after[:-1] == before[:-1]
    last, committed = after[-1]
    assert (last.salt, committed) == (None, before[-1][1])


def test_the_private_parts_alone_do_not_give_the_commitment_of_another_entry(url: str) -> None:
    rows(url, "INSERT INTO users (id, display_name) VALUES (1, 'x')")
    entry, committed = entries(url)[-1]
    found = rows(
        url,
        "SELECT ops.audit_private_v1(salt, entity_id, entity_key, request_id, payload) FROM audit_log WHERE id = %s",
        (entry.id,),
    )
    assert bytes(found[0][0]) == private_part(entry) != committed  # type: ignore[call-overload]
