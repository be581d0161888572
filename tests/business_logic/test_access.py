"""Who may see what: each role connects for itself and tries what it must not do."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn

from support import Databases, connected, rows

SCENE = """
    INSERT INTO users (id, email, email_hmac, display_name)
    VALUES (71, 'anna@example.org', sha256('anna'), 'Anna Secret'), (72, 'bob@example.org', sha256('bob'), 'Bob Secret');
    INSERT INTO tracks (id, title, source) VALUES (1, 't', 'internal');
    INSERT INTO user_identities (user_id, provider, provider_user_id) SELECT id, 'spotify', 'secret' || id FROM users;
    INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel)
    SELECT id, 'personalisation', true, '1', 'en', 'web' FROM users;
    INSERT INTO playlists (user_id, id, name) SELECT id, id, 'Secret list' FROM users;
    INSERT INTO playlist_items (user_id, playlist_id, rank, track_id) SELECT id, id, 1, 1 FROM users;
    INSERT INTO listens (user_id, track_id, listened_at) SELECT id, 1, now() FROM users;
    INSERT INTO analytics (user_id, event_name) SELECT id, 'a.b' FROM users;
    INSERT INTO agent_conversations (user_id, id, agent, locale) SELECT id, id, 'dj', 'en' FROM users;
    INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts) SELECT id, id, 1, 'user', '["secret"]' FROM users;
"""
FILLED = (
    "users", "user_identities", "consent", "consent_events", "playlists", "playlist_items", "playlist_snapshots",
    "playlist_item_versions", "listens", "agent_conversations", "agent_messages",
)  # fmt: skip


@pytest.fixture
def scene(url: str) -> str:
    with connected(url) as connection:
        connection.cursor().execute(SCENE)
    return url


@pytest.fixture
def logins(databases: Databases, scene: str) -> Iterator[dict[str, str]]:
    """The URL of a login of its own for each group role."""
    name = str(parse_dsn(scene)["dbname"])
    roles = ["agent_app", "agent_readonly", "agent_auditor", "agent_privacy", "agent_owner", None]
    made = {role: f"l{abs(hash((name, role))) % 10**10}" for role in roles}
    with connected(scene) as connection, connection.cursor() as cursor:
        for role, login in made.items():
            cursor.execute(f"CREATE ROLE {login} LOGIN PASSWORD 'x' {f'IN ROLE {role}' if role else ''}")
    yield {str(role): databases.url(name, user=login, password="x") for role, login in made.items()}
    with connected(scene) as connection, connection.cursor() as cursor:
        for login in made.values():
            cursor.execute(f"DROP OWNED BY {login} CASCADE; DROP ROLE {login}")


def ask(url: str, statement: str, **settings: object) -> list[tuple[object, ...]]:
    with connected(url) as connection, connection.cursor() as cursor:
        for name, value in settings.items():
            cursor.execute(f"SET app.{name} = %s", (str(value),))
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else [(cursor.rowcount,)]


def key(table: str) -> str:
    return "id" if table == "users" else "user_id"


@pytest.mark.parametrize("table", FILLED)
def test_the_application_sees_the_person_signed_in_and_nobody_without_one(
    logins: dict[str, str], table: str
) -> None:
    query = f"SELECT DISTINCT {key(table)} FROM {table}"
    app = logins["agent_app"]
    assert ask(app, query, user_id=71) == [(71,)]
    assert ask(app, query, user_id=72) == [(72,)]
    assert ask(app, query) == ask(app, query, user_id="") == ask(app, query, user_id=99) == []
    with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
        ask(app, query, user_id="71 OR true")


@pytest.mark.parametrize("table", FILLED)
def test_who_answers_data_subjects_sees_the_one_that_was_named(logins: dict[str, str], table: str) -> None:
    query = f"SELECT DISTINCT {key(table)} FROM {table}"
    privacy = logins["agent_privacy"]
    assert ask(privacy, query, subject_id=72) == [(72,)]
    assert ask(privacy, query) == ask(privacy, query, user_id=72) == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(privacy, f"DELETE FROM {table}", subject_id=72)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET status = 'erased'",
        "UPDATE users SET id = 99",
        "INSERT INTO users (id) VALUES (99)",
        "DELETE FROM users",
        "UPDATE consent SET granted = true",
        "DELETE FROM consent_events",
        "SELECT * FROM audit_log",
        "SELECT * FROM ops.pseudonyms",
        "SELECT * FROM analytics",
        "SELECT * FROM analyst_users",
        "UPDATE data_sources SET ml_use_allowed = true",
        "UPDATE retention_policies SET keep_for = '1 day'",
        "DELETE FROM artists",
        "UPDATE playlists SET snapshot_id = 99",
        "INSERT INTO playlist_item_versions SELECT * FROM playlist_item_versions",
        "TRUNCATE listens",
        "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
        "CREATE TABLE public.mine (id integer)",
        "SET ROLE agent_owner",
        "SELECT ops.audit_table_v1('public.users', 'user')",
        "SELECT add_embedding_partition_v1(1)",
    ],
)
def test_the_application_may_not(logins: dict[str, str], statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(logins["agent_app"], statement, user_id=71)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO listens (user_id, listened_at) VALUES (72, now())",
        "INSERT INTO playlists (user_id, name) VALUES (72, 'x')",
        "INSERT INTO analytics (user_id, event_name) VALUES (72, 'a.b')",
        "SELECT record_consent_v1(72, 'marketing', true, '1', 'en', 'web')",
        "UPDATE listens SET user_id = 72",
    ],
)
def test_the_application_writes_for_nobody_else(logins: dict[str, str], statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(logins["agent_app"], statement, user_id=71)
    if "UPDATE" not in statement:
        ask(logins["agent_app"], statement.replace("72", "71"), user_id=71)


def test_the_application_changes_what_is_its_own(logins: dict[str, str]) -> None:
    app = logins["agent_app"]
    assert ask(app, "UPDATE users SET display_name = 'New'", user_id=71) == [(1,)]
    assert ask(app, "DELETE FROM listens", user_id=71) == [(1,)]
    assert ask(app, "SELECT id FROM find_user_v1(sha256('bob'))") == [(72,)]
    ((made,),) = ask(app, "SELECT register_user_v1('c@example.org', sha256('c'), 'C')")
    assert ask(app, "SELECT id FROM users", user_id=made) == [(made,)]
    assert ask(app, "INSERT INTO analytics (event_name) VALUES ('a.b')") == [(1,)]


def test_analysts_see_nobody_by_name(logins: dict[str, str], scene: str) -> None:
    analyst = logins["agent_readonly"]
    views = [
        str(name)
        for (name,) in rows(scene, "SELECT viewname FROM pg_views WHERE viewname LIKE 'analyst\\_%'")
    ]
    assert len(views) >= 4
    seen = "".join(str(ask(analyst, f"SELECT * FROM {view}")) for view in views)
    assert "UUID" in seen or "-" in seen
    hidden = rows(
        scene,
        "SELECT id::text, email::text, display_name::text, public_id::text, encode(email_hmac, 'hex') FROM users",
    )
    for person in hidden:
        for value in person[1:]:
            assert str(value) not in seen
    assert rows(scene, "SELECT count(*) FROM users") == ask(analyst, "SELECT count(*) FROM analyst_users")
    refs = {ref for (ref,) in ask(analyst, "SELECT analyst_ref FROM analyst_users")}
    assert refs == {ref for (ref,) in ask(analyst, "SELECT analyst_ref FROM analyst_listens")}
    assert ask(analyst, "SELECT purpose, people FROM analyst_consent") == [("personalisation", 2)]
    for table in (*FILLED, "analytics", "audit_log", "ops.pseudonyms"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(analyst, f"SELECT * FROM {table}")


def test_the_auditor_sees_the_trail_and_what_people_were_asked_and_answered_and_nothing_else(
    logins: dict[str, str], scene: str
) -> None:
    auditor = logins["agent_auditor"]
    assert ask(auditor, "SELECT count(*) > 5 FROM audit_log") == [(True,)]
    others = rows(
        scene,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        " AND relname NOT IN ('audit_log', 'consent_texts', 'data_subject_requests', 'data_subject_request_events',"
        " 'retention_policies', 'alembic_version')",
    )
    assert ask(auditor, "SELECT keep_for::text FROM retention_policies WHERE table_name = 'audit_log'") == [
        ("2 years",)
    ]
    assert ask(auditor, "SELECT count(*) FROM data_subject_requests, consent_texts") == [(0,)]
    assert len(others) > 40
    for (table,) in others:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(auditor, f"SELECT * FROM {table}")


def test_a_login_of_no_role_may_nothing(logins: dict[str, str], scene: str) -> None:
    stranger = logins["None"]
    tables = rows(
        scene,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p', 'v') AND relnamespace = 'public'::regnamespace",
    )
    assert len(tables) > 40
    for (table,) in tables:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(stranger, f"SELECT FROM {table}")
    for call in (
        "register_user_v1('x@y.org', sha256('x'), 'x')",
        "find_user_v1(sha256('bob'))",
        "gtin_is_valid_v1('1')",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(stranger, f"SELECT {call}")


def test_nothing_of_ours_is_granted_to_public(scene: str) -> None:
    for catalogue, acl, kind, owner, where in (
        (
            "pg_class",
            "relacl",
            "r",
            "relowner",
            "relnamespace IN ('public'::regnamespace, 'ops'::regnamespace) AND relkind <> 'S'",
        ),
        (
            "pg_class",
            "relacl",
            "S",
            "relowner",
            "relnamespace IN ('public'::regnamespace, 'ops'::regnamespace) AND relkind = 'S'",
        ),
        (
            "pg_proc",
            "proacl",
            "f",
            "proowner",
            "pronamespace IN ('public'::regnamespace, 'ops'::regnamespace)",
        ),
        (
            "pg_type",
            "typacl",
            "T",
            "typowner",
            "typnamespace = 'public'::regnamespace AND typtype IN ('d', 'e')",
        ),
        ("pg_namespace", "nspacl", "n", "nspowner", "nspname = 'ops'"),
    ):
        ours = f"FROM {catalogue} AS thing WHERE {where} AND pg_get_userbyid({owner}) = 'agent_owner'"
        ((count,),) = rows(scene, f"SELECT count(*) {ours}")
        assert int(str(count)) > 0, kind
        public = rows(
            scene,
            f"SELECT thing.oid FROM {catalogue} AS thing, aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) AS item"
            f" WHERE {where} AND pg_get_userbyid({owner}) = 'agent_owner' AND item.grantee = 0",
        )
        assert public == [], (catalogue, kind)


def test_what_is_made_later_is_not_granted_to_everybody_either(logins: dict[str, str], scene: str) -> None:
    rows(
        scene,
        "SET ROLE agent_owner; CREATE FUNCTION later() RETURNS integer LANGUAGE sql AS 'SELECT 1'; CREATE TABLE later_table (id integer)",
    )
    for role in ("agent_app", "agent_readonly", "agent_auditor", "agent_privacy", "None"):
        for statement in ("SELECT later()", "SELECT * FROM later_table"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                ask(logins[role], statement)
    assert ask(logins["agent_owner"], "SELECT later()") == [(1,)]


def test_every_function_with_its_owners_rights_fixes_its_search_path(scene: str) -> None:
    found = rows(
        scene,
        "SELECT oid::regprocedure::text, 'search_path=pg_catalog, pg_temp' = ANY (proconfig) FROM pg_proc"
        " WHERE prosecdef AND pronamespace IN ('public'::regnamespace, 'ops'::regnamespace)",
    )
    assert len(found) > 20
    assert [name for name, fixed in found if not fixed] == []


def test_what_the_application_calls_has_a_version(scene: str) -> None:
    callable_ = rows(
        scene,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('agent_app', oid, 'EXECUTE')"
        " AND pg_get_userbyid(proowner) = 'agent_owner'",
    )
    assert len(callable_) > 20
    assert [name for (name,) in callable_ if not str(name).endswith("_v1")] == []


def test_every_personal_table_has_row_security(scene: str) -> None:
    found = rows(
        scene,
        "SELECT DISTINCT relname, relrowsecurity FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT IN ('audit_log', 'data_subject_requests', 'data_subject_request_events')"
        " AND NOT relispartition AND col_description(attrelid, attnum) NOT LIKE 'none: %'",
    )
    assert len(found) >= 15
    assert [table for table, secured in found if not secured] == []
    # Whoever may read the others reads all of them; the application and the analysts may not.
    for role in ("agent_app", "agent_readonly"):
        may = "SELECT has_any_column_privilege(%s, oid, 'SELECT, INSERT, UPDATE') FROM pg_class WHERE relname IN ('audit_log', 'data_subject_requests', 'data_subject_request_events')"
        assert rows(scene, may, (role,)) == [(False,)] * 3
    assert {str(table) for table, _ in found} >= set(FILLED)


def test_a_member_of_the_owner_role_backfills_every_row(logins: dict[str, str]) -> None:
    assert ask(logins["agent_owner"], "UPDATE users SET locale = 'fr'") == [(2,)]
    assert ask(logins["agent_owner"], "UPDATE listens SET ms_played = 1") == [(2,)]
