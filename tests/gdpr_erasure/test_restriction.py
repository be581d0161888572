"""Restriction: data is stored and nothing else, whoever asks as the application or as an analyst."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import psycopg2
import pytest

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.gdpr_erasure.consent import grant, withdraw
from spotify_ai_agent_migrations.versions.gdpr_erasure.requests import file_request
from spotify_ai_agent_migrations.versions.gdpr_erasure.restriction import lift, permit, restrict
from spotify_ai_agent_migrations.versions.partitioning import convert
from support import connected, rows

SCENE = """
    INSERT INTO users (id, email, email_hmac, display_name)
    VALUES (71, 'anna@example.org', sha256('anna'), 'Anna'), (72, 'bob@example.org', sha256('bob'), 'Bob');
    INSERT INTO tracks (id, title, source) VALUES (1, 't', 'internal');
    INSERT INTO user_identities (user_id, provider, provider_user_id) SELECT id, 'spotify', 'secret' || id FROM users;
    INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel)
    SELECT id, 'personalisation', true, '1', 'en', 'web' FROM users;
    INSERT INTO playlists (user_id, id, name, is_public) SELECT id, id, 'list', true FROM users;
    INSERT INTO playlist_items (user_id, playlist_id, rank, track_id) SELECT id, id, 1, 1 FROM users;
    INSERT INTO playlists (user_id, id, name, collaborative) SELECT id, id + 100, 'ours', true FROM users;
    INSERT INTO playlist_collaborators (user_id, playlist_id, collaborator_id) VALUES (71, 171, 72), (72, 172, 71);
    INSERT INTO listens (user_id, track_id, listened_at) SELECT id, 1, now() FROM users;
    INSERT INTO analytics (user_id, event_name) SELECT id, 'a.b' FROM users;
    INSERT INTO agent_conversations (user_id, id, agent, locale) SELECT id, id, 'dj', 'en' FROM users;
    INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts) SELECT id, id, 1, 'user', '["secret"]' FROM users;
    INSERT INTO feature_definitions (name, version, entity, dtype, description, source) VALUES ('taste', 1, 'user', 'number', 'd', 'internal');
    INSERT INTO user_features (user_id, feature, event_at, value) SELECT id, 'taste@1', now(), '1' FROM users;
"""
READ = (
    "users", "user_identities", "playlists", "playlist_items", "playlist_snapshots", "playlist_item_versions",
    "playlist_collaborators", "listens", "agent_conversations", "agent_messages", "user_features",
)  # fmt: skip
NOT_READ = ("analytics", "agent_tool_calls", "recommendations")


@pytest.fixture
def scene(url: str) -> str:
    rows(url, SCENE)
    return url


def key(table: str) -> str:
    return "id" if table == "users" else "user_id"


def ask(url: str, role: str, statement: str, **settings: object) -> list[tuple[object, ...]]:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        for name, value in settings.items():
            cursor.execute(f"SET app.{name} = '{value}'")
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else [(cursor.rowcount,)]


def owners(url: str, table: str, user_id: int) -> list[object]:
    found = ask(url, "agent_app", f"SELECT DISTINCT {key(table)} FROM {table} ORDER BY 1", user_id=user_id)
    return [owner for (owner,) in found]


def test_the_application_sees_nothing_of_a_restricted_person_and_of_others_what_it_saw(scene: str) -> None:
    before = {table: owners(scene, table, 72) for table in READ}
    assert all(71 in owners(scene, table, 71) for table in READ)
    restrict(71, "accuracy_contested", url=scene)
    assert {table: [one for one in owners(scene, table, 71) if one == 71] for table in READ} == {
        table: [] for table in READ
    }
    # Public lists and lists of several people are those of Bob alone now, and nobody sees that Anna shares in his.
    assert {table: owners(scene, table, 72) for table in READ} == {
        table: [] if table == "playlist_collaborators" else [one for one in before[table] if one != 71]
        for table in READ
    }
    assert before["playlists"] == before["playlist_collaborators"] == [71, 72]


def test_every_personal_table_the_application_may_use_is_restricted(scene: str) -> None:
    """Also one that a later revision makes: what the application may do with rows of people is asked of the catalogue."""
    granted = rows(
        scene,
        "SELECT DISTINCT class.relname::text FROM pg_class AS class JOIN ops.personal_data AS entry ON to_regclass(entry.table_name) = class.oid"
        " WHERE entry.class <> 'none' AND has_any_column_privilege('agent_app', class.oid, 'SELECT, INSERT, UPDATE')",
    )
    restricted = rows(scene, "SELECT tablename::text FROM pg_policies WHERE permissive = 'RESTRICTIVE'")
    # By these a restricted person allows a use, or forbids one.
    exempt = {"consent", "consent_events", "objections"}
    assert {name for (name,) in restricted} == {*READ, *NOT_READ}
    assert {name for (name,) in granted} == {*READ, *NOT_READ, *exempt}


def test_nothing_is_added_changed_or_deleted_either(scene: str) -> None:
    restrict(71, "unlawful", url=scene)
    for refused in (
        "INSERT INTO listens (user_id, track_id, listened_at) VALUES (71, 1, now())",
        "INSERT INTO analytics (user_id, event_name) VALUES (71, 'a.b')",
        "INSERT INTO playlists (user_id, name) VALUES (71, 'new')",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="row-level security policy"):
            ask(scene, "agent_app", refused, user_id=71)
        assert ask(scene, "agent_app", refused.replace("71", "72"), user_id=72) == [(1,)]
    assert ask(scene, "agent_app", "UPDATE users SET display_name = 'x'", user_id=71) == [(0,)]
    assert ask(scene, "agent_app", "DELETE FROM listens", user_id=71) == [(0,)]
    assert ask(scene, "agent_app", "INSERT INTO analytics (event_name) VALUES ('a.b')", user_id=71) == [(1,)]
    assert rows(scene, "SELECT count(*) FROM listens WHERE user_id = 71") == [(1,)]


@pytest.mark.parametrize("view", ["analyst_users", "analyst_listens", "analyst_events"])
def test_analysts_count_without_them(scene: str, view: str) -> None:
    count = f"SELECT count(*) FROM {view}"
    assert ask(scene, "agent_readonly", count) == [(2,)]
    number = restrict(71, "legal_claims", url=scene)
    assert ask(scene, "agent_readonly", count) == [(1,)]
    assert ask(scene, "agent_readonly", "SELECT people FROM analyst_consent") == [(1,)]
    lift(number, "the claim is settled", notice_sent_at=datetime.now(timezone.utc), url=scene)
    assert ask(scene, "agent_readonly", count) == [(2,)]


def test_whoever_answers_for_privacy_reads_on_and_the_person_still_answers_and_asks(scene: str) -> None:
    restrict(71, "accuracy_contested", url=scene)
    for table in READ:
        assert ask(scene, "agent_privacy", f"SELECT DISTINCT {key(table)} FROM {table} WHERE {key(table)} = 71", subject_id=71) == [(71,)], table  # fmt: skip
    ask(scene, "agent_app", "SELECT withdraw_consent_v1(71, 'personalisation')", user_id=71)
    ask(scene, "agent_app", "SELECT file_request_v1(71, 'access')", user_id=71)
    assert rows(scene, "SELECT granted FROM consent WHERE user_id = 71") == [(False,)]


def test_a_restriction_is_lifted_after_notice_and_by_nobody_before(scene: str) -> None:
    before = datetime.now(timezone.utc) - timedelta(seconds=5)
    number = restrict(71, "objection_pending", request=file_request(71, "restriction", url=scene), url=scene)
    for notice in (before, datetime.now(timezone.utc) + timedelta(hours=1), None):
        with pytest.raises(DatabaseError, match=r"notice|after the person was told"):
            lift(number, "decided", notice_sent_at=notice, url=scene)  # type: ignore[arg-type]
    with pytest.raises(DatabaseError, match="is lifted for a reason"):
        lift(number, " ", notice_sent_at=datetime.now(timezone.utc), url=scene)
    assert owners(scene, "listens", 71) == []
    told = datetime.now(timezone.utc)
    lift(number, "decided", notice_sent_at=told, url=scene)
    assert owners(scene, "listens", 71) == [71]
    assert rows(scene, "SELECT notice_sent_at, lifted_at > notice_sent_at FROM ops.restrictions") == [(told, True)]  # fmt: skip
    with pytest.raises(DatabaseError, match=f"there is no restriction {number} to be lifted"):
        lift(number, "again", notice_sent_at=told, url=scene)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="is append-only"):
        rows(scene, "UPDATE ops.restrictions SET lifted_at = NULL")


def test_of_two_restrictions_one_is_left_when_the_other_is_lifted(scene: str) -> None:
    first = restrict(71, "accuracy_contested", url=scene)
    second = restrict(71, "legal_claims", url=scene)
    lift(first, "it was right", notice_sent_at=datetime.now(timezone.utc), url=scene)
    assert owners(scene, "listens", 71) == []
    lift(second, "settled", notice_sent_at=datetime.now(timezone.utc), url=scene)
    assert owners(scene, "listens", 71) == [71]


def test_while_restricted_only_later_consent_or_a_permit_allows_a_purpose(scene: str) -> None:
    may = "SELECT may_process_v1(71, 'personalisation'), may_process_v1(71, 'service'), may_process_v1(72, 'personalisation')"
    assert rows(scene, may) == [(True, True, True)]
    number = restrict(71, "accuracy_contested", url=scene)
    assert rows(scene, may) == [(False, False, True)]
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    permit(number, "legal_claims", "service", "the case of 12 March", expires_at=soon, url=scene)
    assert rows(scene, may) == [(False, True, True)]
    with pytest.raises(DatabaseError, match='the person has not consented to "personalisation" since'):
        permit(number, "consent", "personalisation", "asked", expires_at=soon, url=scene)
    grant(71, "personalisation", version="1", url=scene)
    permit(number, "consent", "personalisation", "asked", expires_at=soon, url=scene)
    assert rows(scene, may) == [(True, True, True)]
    withdraw(71, "personalisation", url=scene)
    assert rows(scene, may) == [(False, True, True)]


def test_a_permit_shows_the_rows_to_one_transaction_and_the_trail_says_so(scene: str) -> None:
    number = restrict(71, "legal_claims", url=scene)
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    given = permit(number, "legal_claims", "service", "the case of 12 March", expires_at=soon, url=scene)
    past = permit(
        number, "legal_claims", "service", "an old case", expires_at=soon - timedelta(hours=2), url=scene
    )
    count = "SELECT count(*) FROM listens"
    with connected(scene, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app; SET app.user_id = '71'")
        connection.commit()
        cursor.execute("SELECT use_permit_v1(%s)", (given,))
        cursor.execute(count)
        assert cursor.fetchall() == [(1,)]
        connection.commit()
        cursor.execute(count)
        assert cursor.fetchall() == [(0,)]
        with pytest.raises(psycopg2.errors.NoDataFound, match=f"there is no permit {past} in force"):
            cursor.execute("SELECT use_permit_v1(%s)", (past,))
    trail = "SELECT action::text, entity_id, subject_ref IS NOT NULL FROM audit_log WHERE entity_type = 'restriction_permit' AND action = 'read'"
    assert rows(scene, trail) == [("read", given, True)]


@pytest.mark.parametrize(("role", "view"), [("agent_app", "listens"), ("agent_readonly", "analyst_listens")])
def test_a_permit_that_the_trail_does_not_know_of_shows_nothing(scene: str, role: str, view: str) -> None:
    """Whoever names one without use_permit_v1 sees no row; nor after a use that was rolled back."""
    number = restrict(71, "legal_claims", url=scene)
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    given = permit(number, "legal_claims", "service", "the case of 12 March", expires_at=soon, url=scene)
    others = len(ask(scene, role, f"TABLE {view}", user_id=71))
    assert others == (0 if role == "agent_app" else 1)
    assert len(ask(scene, role, f"TABLE {view}", user_id=71, permit_id=given)) == others
    with connected(scene, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SET app.user_id = '71'; SET ROLE agent_app; SAVEPOINT used")
        cursor.execute("SELECT use_permit_v1(%s); SELECT count(*) FROM listens", (given,))
        assert cursor.fetchall() == [(1,)]
        cursor.execute("ROLLBACK TO used; SET app.permit_id = '%s'; SELECT count(*) FROM listens", (given,))
        assert cursor.fetchall() == [(0,)]


def test_a_permit_by_consent_ends_with_the_consent(scene: str) -> None:
    number = restrict(71, "accuracy_contested", url=scene)
    grant(71, "personalisation", version="1", url=scene)
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    given = permit(number, "consent", "personalisation", "asked", expires_at=soon, url=scene)
    use = f"SELECT use_permit_v1({given})"
    with connected(scene, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("SET ROLE agent_app; SET app.user_id = '71'")
        cursor.execute(f"{use}; SELECT count(*) FROM listens")
        assert cursor.fetchall() == [(1,)]
        cursor.execute("SELECT withdraw_consent_v1(71, 'personalisation'); SELECT count(*) FROM listens")
        assert cursor.fetchall() == [(0,)]
    withdraw(71, "personalisation", url=scene)
    with pytest.raises(psycopg2.errors.NoDataFound, match=f"there is no permit {given} in force"):
        ask(scene, "agent_app", use, user_id=71)


def test_a_prepared_statement_and_a_cached_plan_see_a_restriction_at_once(scene: str) -> None:
    with connected(scene, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan; SET ROLE agent_app; SET app.user_id = '71'")
        cursor.execute("PREPARE theirs AS SELECT count(*) FROM listens; EXECUTE theirs")
        assert cursor.fetchall() == [(1,)]
        restrict(71, "unlawful", url=scene)
        cursor.execute("EXECUTE theirs")
        assert cursor.fetchall() == [(0,)]


def test_a_restriction_is_of_the_person_whose_request_it_names(scene: str) -> None:
    request = file_request(72, "restriction", url=scene)
    with pytest.raises(DatabaseError, match=f"request {request} is not of that person"):
        restrict(71, "unlawful", request=request, url=scene)
    assert restrict(72, "unlawful", request=request, url=scene) > 0


def test_who_is_restricted_is_asked_once_a_statement_and_the_index_still_finds_the_rows(scene: str) -> None:
    rows(scene, "INSERT INTO listens (user_id, track_id, listened_at) SELECT 72, 1, now() FROM generate_series(1, 20000); ANALYZE listens")  # fmt: skip
    plan = ask(
        scene,
        "agent_app",
        "EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM listens WHERE ms_played IS NULL",
        user_id=71,
    )
    shown = "\n".join(str(line) for (line,) in plan)
    assert "InitPlan" in shown
    assert "Index Cond: (listens.user_id = " in shown
    assert shown.count("restricted_people") == 1
    assert "SubPlan" not in shown


def test_a_restriction_goes_with_its_person_and_outlives_its_request(scene: str) -> None:
    request = file_request(71, "restriction", url=scene)
    number = restrict(71, "unlawful", request=request, url=scene)
    soon = datetime.now(timezone.utc) + timedelta(hours=1)
    permit(number, "legal_claims", "service", "the case of 12 March", expires_at=soon, url=scene)
    rows(scene, "DELETE FROM data_subject_requests")
    assert rows(scene, "SELECT request_id FROM ops.restrictions") == [(None,)]
    assert rows(scene, "SELECT count(*) FROM data_subject_request_events") == [(0,)]
    rows(scene, "DELETE FROM users WHERE id = 71")
    assert rows(scene, "SELECT count(*) FROM ops.restrictions") == [(0,)]
    assert rows(scene, "SELECT count(*) FROM ops.restriction_permits") == [(0,)]


def test_a_table_stays_restricted_when_it_is_partitioned(scene: str) -> None:
    convert("public.listens", "listened_at", settings=resolve_settings(scene))
    assert rows(scene, "SELECT relkind::text FROM pg_class WHERE oid = 'listens'::regclass") == [("p",)]
    assert owners(scene, "listens", 71) == [71]
    restrict(71, "unlawful", url=scene)
    assert owners(scene, "listens", 71) == []
    assert ask(scene, "agent_readonly", "SELECT count(*) FROM analyst_listens") == [(1,)]


def test_a_table_of_a_later_revision_is_restricted_by_one_call(scene: str) -> None:
    rows(
        scene,
        "CREATE TABLE notes (user_id bigint, about_id bigint); INSERT INTO notes VALUES (71, 72), (72, 71), (72, 72);"
        "GRANT SELECT ON notes TO agent_app; ALTER TABLE notes ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY notes_app ON notes TO agent_app USING (true);"
        "SELECT ops.restrict_table_v1('public.notes', 'user_id', 'about_id')",
    )
    assert len(ask(scene, "agent_app", "TABLE notes")) == 3
    restrict(71, "unlawful", url=scene)
    assert ask(scene, "agent_app", "TABLE notes") == [(72, 72)]
