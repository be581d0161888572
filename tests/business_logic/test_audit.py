"""The trail: every change once, by names of columns and pseudonyms; no value, and nobody changes it."""

from __future__ import annotations

import time

import psycopg2
import pytest

from support import connected, rows

SECRETS = ("anna@example.org", "Anna Secret", "Europe/Paris", "My sad songs", "10.1.2.3")

SCENE = """
    INSERT INTO tracks (id, title, source) SELECT n, 't', 'internal' FROM generate_series(1, 20) AS n;
    INSERT INTO users (id, email, email_hmac, display_name, time_zone)
    VALUES (1, 'anna@example.org', sha256('a'), 'Anna Secret', 'Europe/Paris'), (2, NULL, NULL, 'Other', 'UTC');
    INSERT INTO user_identities (user_id, provider, provider_user_id) VALUES (1, 'spotify', 'anna@example.org');
    INSERT INTO playlists (user_id, id, name, description) VALUES (1, 1, 'My sad songs', 'Anna Secret');
    INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel, evidence)
    VALUES (1, 'marketing', true, '1', 'en', 'web', '{"ip": "10.1.2.3"}');
"""


@pytest.fixture
def scene(url: str) -> str:
    with connected(url) as connection:
        connection.cursor().execute(SCENE)
    return url


def last(url: str, count: int = 1) -> list[tuple[object, ...]]:
    return rows(
        url,
        "SELECT entity_type, entity_id, action::text, changed_columns FROM audit_log ORDER BY id DESC LIMIT %s",
        (count,),
    )


def test_each_changed_row_is_one_entry_with_the_names_of_its_columns(scene: str) -> None:
    rows(scene, "UPDATE users SET display_name = 'Other name', locale = 'fr' WHERE id = 1")
    assert last(scene) == [("user", 1, "update", ["display_name", "locale"])]
    rows(scene, "UPDATE users SET locale = 'fr'")
    assert last(scene) == [("user", 2, "update", ["locale"])]
    rows(scene, "DELETE FROM playlists")
    assert ("playlist", 1, "delete", None) in last(scene, 3)
    rows(scene, "TRUNCATE listens")
    assert last(scene) == [("listen", 0, "truncate", None)]


def test_what_changes_nothing_is_no_entry(scene: str) -> None:
    before = rows(scene, "SELECT count(*) FROM audit_log")
    rows(scene, "UPDATE users SET display_name = display_name, updated_at = now() - INTERVAL '1 day'")
    rows(scene, "UPDATE users SET locale = 'fr' WHERE false")
    assert rows(scene, "SELECT count(*) FROM audit_log") == before


def test_no_value_is_ever_in_the_trail(scene: str) -> None:
    rows(scene, "UPDATE users SET email = NULL, display_name = 'x' WHERE id = 1")
    rows(scene, "DELETE FROM users WHERE id = 1")
    everything = str(rows(scene, "SELECT entry::text FROM audit_log AS entry"))
    assert "user_identity" in everything
    assert "display_name" in everything
    for secret in SECRETS:
        assert secret not in everything


def test_actor_and_subject_are_pseudonyms_that_can_be_forgotten(scene: str) -> None:
    request = "6f9619ff-8b86-4d01-b42d-00c04fc964ff"
    with connected(scene, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL app.user_id = '2'; SET LOCAL app.request_id = '{request}'")
        cursor.execute("UPDATE users SET locale = 'fr' WHERE id = 1")
        connection.commit()
    entry = "SELECT actor_ref, subject_ref, actor_type::text, request_id::text FROM audit_log ORDER BY id DESC LIMIT 1"
    ((actor, subject, kind, asked),) = rows(scene, entry)
    known = rows(
        scene, "SELECT audit_ref FROM ops.pseudonyms WHERE user_id IS NOT NULL ORDER BY user_id DESC"
    )
    assert (known[0][0], known[1][0], "user", request) == (actor, subject, kind, asked)
    assert actor not in (1, 2)
    rows(scene, "DELETE FROM ops.pseudonyms")
    assert rows(scene, entry) == [(actor, subject, "user", request)]
    rows(scene, "UPDATE users SET locale = 'en' WHERE id = 1")
    ((login, nobody, kind, _),) = rows(scene, entry)
    assert nobody is None
    assert kind == "service"
    assert rows(scene, "SELECT role_name FROM ops.pseudonyms WHERE audit_ref = %s", (login,)) == rows(
        scene, "SELECT session_user::text"
    )


def test_a_new_login_gets_one_pseudonym_and_nobody_waits_for_it(scene: str) -> None:
    rows(scene, "DELETE FROM ops.pseudonyms WHERE role_name IS NOT NULL")
    with connected(scene, autocommit=False) as first, connected(scene, autocommit=False) as second:
        first.cursor().execute("UPDATE users SET locale = 'fr' WHERE id = 1")
        second.cursor().execute("SET LOCAL lock_timeout = '1s'; UPDATE users SET locale = 'fr' WHERE id = 2")
        second.commit()
        first.commit()
    rows(scene, "UPDATE users SET locale = 'en'")
    refs = rows(scene, "SELECT DISTINCT actor_ref FROM audit_log ORDER BY 1")
    assert len(refs) >= 2
    found = rows(scene, "SELECT count(*) FROM ops.pseudonyms WHERE role_name IS NOT NULL")
    assert found == [(2,)]


@pytest.mark.parametrize("statement", ["UPDATE {} SET entity_type = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
@pytest.mark.parametrize("role", ["agent_app", "agent_readonly", "agent_auditor", "agent_privacy", None])
def test_the_trail_is_append_only(scene: str, statement: str, role: str | None) -> None:
    with connected(scene) as connection, connection.cursor() as cursor:
        if role:
            cursor.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement.format("audit_log"))
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement.format("consent_events").replace("entity_type", "channel"))
        cursor.execute("RESET ROLE")
        cursor.execute("SELECT count(*) > 5 FROM audit_log")
        assert cursor.fetchall() == [(True,)]


def test_its_owner_maintains_it_on_purpose_and_an_application_only_adds_what_no_trigger_sees(
    scene: str,
) -> None:
    with connected(scene) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app")
        cursor.execute("SELECT record_audit_v1('user', 1, 'export', 1)")
        with pytest.raises(psycopg2.errors.InvalidParameterValue, match="written by the database itself"):
            cursor.execute("SELECT record_audit_v1('user', 1, 'delete', 1)")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(
                "INSERT INTO audit_log (entity_id, entity_type, action, actor_type) VALUES (1, 'user', 'delete', 'user')"
            )
        cursor.execute("RESET ROLE; SET ROLE agent_owner; DELETE FROM audit_log WHERE action = 'export'")
        assert cursor.rowcount == 1


ODD = """
    CREATE SCHEMA "o'd d";
    CREATE DOMAIN mood AS text;
    CREATE TABLE "o'd d"."t%s.""x" (
        "k%I" integer, "k 2" text, "a'b" json, p point, x circle, tags text[], "50%" mood,
        twice integer GENERATED ALWAYS AS ("k%I" * 2) STORED, gone text, PRIMARY KEY ("k%I", "k 2")
    );
    ALTER TABLE "o'd d"."t%s.""x" DROP COLUMN gone;
    ALTER TABLE "o'd d"."t%s.""x" OWNER TO agent_owner;
    ALTER SCHEMA "o'd d" OWNER TO agent_owner;
    SELECT ops.audit_table_v1('"o''d d"."t%s.""x"', 'o%dd '' thing', entity_id => 'k%I', entity_key => 'k 2');
"""


def test_any_table_can_be_audited_whatever_its_names_and_types(url: str) -> None:
    table = '''"o'd d"."t%s.""x"'''
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(ODD)
        cursor.execute(
            f"""INSERT INTO {table} ("k%I", "k 2", "a'b", p, x, tags, "50%") VALUES (1, 'a', '{{"a": 1}}', '(1,2)', '<(0,0),1>', '{{x}}', 'm'), (2, 'b', NULL, NULL, NULL, NULL, NULL)"""
        )
        cursor.execute(
            f"""UPDATE {table} SET "a'b" = '{{"a": 2}}', p = '(2,2)', x = '<(0,0),2>', tags = '{{y}}', "50%" = 'n'"""
        )
        cursor.execute(f"""UPDATE {table} SET "k%I" = "k%I" + 10""")
        cursor.execute(f"""UPDATE {table} SET "k%I" = 5 WHERE "k 2" = 'a'""")
        cursor.execute(f"ALTER TABLE {table} ADD COLUMN later integer")
        cursor.execute(
            """SELECT ops.audit_table_v1('"o''d d"."t%s.""x"', 'o%dd '' thing', entity_id => 'k%I', entity_key => 'k 2')"""
        )
        cursor.execute(f"UPDATE {table} SET later = 1 WHERE \"k 2\" = 'a'")
        cursor.execute("""SELECT ops.unaudit_table_v1('"o''d d"."t%s.""x"')""")
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(
            "SELECT action::text, entity_id, entity_key, changed_columns FROM audit_log WHERE entity_type = 'o%dd '' thing' ORDER BY id"
        )
        entries = cursor.fetchall()
    assert entries[:2] == [("insert", 1, "a", None), ("insert", 2, "b", None)]
    assert sorted(entries[2:4]) == [
        ("update", 1, "a", ["a'b", "p", "x", "tags", "50%"]),
        ("update", 2, "b", ["a'b", "p", "x", "tags", "50%"]),
    ]
    # Keys of several rows changed: none has a partner left.
    assert sorted(entry[:3] for entry in entries[4:8]) == [
        ("delete", 1, "a"), ("delete", 2, "b"), ("insert", 11, "a"), ("insert", 12, "b"),
    ]  # fmt: skip
    assert entries[8:] == [("update", 5, "a", ["k%I"]), ("update", 5, "a", ["later"])]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("'t', 'x', entity_id => 'nope'", 'has no column "nope"'),
        ("'t', 'x', ignored => '{nope}'", 'has no column "nope"'),
        ("'t', 'x', operations => '{insert,merge}'", "are not all known"),
        ("'keyless', 'x'", "has no primary key"),
        (f"'{'n' * 50}', 'x'", "is too long"),
    ],
)
def test_a_table_that_cannot_be_audited_is_refused(url: str, arguments: str, problem: str) -> None:
    rows(
        url,
        f"CREATE TABLE t (id integer PRIMARY KEY); CREATE TABLE keyless (a integer); CREATE TABLE {'n' * 50} (id integer PRIMARY KEY)",
    )
    with pytest.raises(psycopg2.Error, match=problem):
        rows(url, f"SELECT ops.audit_table_v1({arguments})")
    assert rows(url, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass") == [(0,)]


def test_a_plan_made_for_one_row_serves_thousands(url: str) -> None:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO users (id) SELECT generate_series(1, 24000)")
        for number in range(1, 8):
            cursor.execute("UPDATE users SET locale = 'fr' WHERE id = %s", (number,))
        taken: dict[int, float] = {}
        for count in (4_000, 24_000):
            started = time.perf_counter()
            cursor.execute(
                "UPDATE users SET birth_year = coalesce(birth_year, 1980) + 1 WHERE id <= %s", (count,)
            )
            taken[count] = time.perf_counter() - started
            assert cursor.rowcount == count
    # Six times the rows; a nested loop would take thirty-six times as long.
    assert taken[24_000] / taken[4_000] < 18


def test_every_personal_or_privileged_table_is_audited_in_every_column(url: str) -> None:
    personal = {
        str(table)
        for (table,) in rows(
            url,
            "SELECT DISTINCT relname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
            " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0"
            " AND NOT relispartition AND col_description(attrelid, attnum) NOT LIKE 'none: %'",
        )
    } - {"audit_log"}
    privileged = {
        "data_sources",
        "consent_purposes",
        "retention_policies",
        "ai_models",
        "model_versions",
        "prompt_versions",
    }
    assert len(personal) > 14
    found = rows(
        url,
        "SELECT relname, array_agg(DISTINCT split_part(tgname, '_audit_', 2)) FROM pg_trigger"
        " JOIN pg_class ON pg_class.oid = tgrelid WHERE tgname LIKE '%\\_audit\\_%' GROUP BY relname",
    )
    audited = {str(table): set(operations) for table, operations in found}  # type: ignore[call-overload]
    assert (personal | privileged) - set(audited) == set()
    for table, operations in audited.items():
        assert operations >= {"update", "delete", "truncate"}, table
    unseen = rows(
        url,
        "SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " JOIN pg_proc ON proname = relname || '_audit_update'"
        " WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
        " AND strpos(prosrc, quote_literal(attname)) = 0 ORDER BY 1, 2",
    )
    # What a trigger makes of another column changes with that one.
    ignored = {
        "updated_at",
        "snapshot_id",
        "until_snapshot",
        "last_seq",
        "last_message_at",
        "email_canonical",
    }
    assert {column for _, column in unseen} <= ignored
