"""The guard: from the moment a person is hidden, whatever is written of them is refused, whoever writes it."""

from __future__ import annotations

import io

import psycopg2
import pytest
from gdpr_erasure.hidden import certify, forget, hide, working
from gdpr_erasure.people import ADA, BOB

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.partitioning import convert
from support import connected, rows

# One row of each guarded table, of the person in %(id)s; to write it takes no other row of theirs.
INSERTS = {
    "user_identities": "INSERT INTO user_identities (user_id, provider, provider_user_id) VALUES (%(id)s, 'google', 'x')",
    "consent_events": "INSERT INTO consent_events (user_id, purpose, granted, policy_version, locale, channel) VALUES (%(id)s, 'analytics', false, '1', 'en', 'web')",
    "playlists": "INSERT INTO playlists (user_id, name) VALUES (%(id)s, 'x')",
    "playlist_items": "INSERT INTO playlist_items (user_id, playlist_id, rank, track_id, added_by) VALUES (770000111, 440000222, 9, 10001, %(id)s)",
    "playlist_snapshots": "INSERT INTO playlist_snapshots (user_id, playlist_id, snapshot_id) SELECT user_id, id, 99 FROM playlists WHERE user_id = %(id)s",
    "playlist_item_versions": "INSERT INTO playlist_item_versions (user_id, playlist_id, rank, since_snapshot, track_id, added_at) SELECT user_id, id, 9, 9, 1, now() FROM playlists WHERE user_id = %(id)s",
    "playlist_collaborators": "INSERT INTO playlist_collaborators (user_id, playlist_id, collaborator_id) VALUES (990000001, 1, %(id)s)",
    "listens": "INSERT INTO listens (user_id, track_id, listened_at) VALUES (%(id)s, 10001, now())",
    "analytics": "INSERT INTO analytics (user_id, event_name) VALUES (%(id)s, 'a.b')",
    "agent_conversations": "INSERT INTO agent_conversations (user_id, agent, locale) VALUES (%(id)s, 'dj', 'en')",
    "agent_messages": "INSERT INTO agent_messages (user_id, conversation_id, seq, role, parts) SELECT user_id, id, 3, 'user', '[]' FROM agent_conversations WHERE user_id = %(id)s AND title IS NOT NULL",
    "agent_tool_calls": "INSERT INTO agent_tool_calls (user_id, conversation_id, seq, call_id, tool_name, arguments) SELECT user_id, conversation_id, seq, 'c9', 'x', '{}' FROM agent_tool_calls WHERE user_id = %(id)s",
    "user_features": "INSERT INTO user_features (user_id, feature, event_at, value) VALUES (%(id)s, 'taste@1', now(), '1')",
    "recommendations": "INSERT INTO recommendations (user_id, model_version_id, surface, items, profiling_used) SELECT user_id, model_version_id, surface, items, false FROM recommendations WHERE user_id = %(id)s",
    "objections": "INSERT INTO objections (user_id, purpose) VALUES (%(id)s, 'marketing')",
    "subject_keys": "INSERT INTO ops.subject_keys (subject_id, key_id, wrapped, kek_id) VALUES (%(id)s, gen_random_uuid(), decode(repeat('00', 60), 'hex'), '0123456789abcdef')",
    "restrictions": "INSERT INTO ops.restrictions (user_id, ground, restricted_by) VALUES (%(id)s, 'unlawful', 1)",
}  # fmt: skip
# What a row brings with it is refused before the row is.
SOONER = {
    "consent_events": "consent_guard_update", "playlists": "playlist_snapshots_guard_insert",
    "agent_messages": "agent_conversations_guard_update",
}  # fmt: skip
# The two came with numbers of their own, past the sequences.
ONWARD = "SELECT setval(oid::regclass, 1000) FROM pg_class WHERE relkind = 'S' AND relname ~ '^(listens|analytics|recommendations)_id_seq$'"
CAROL = "INSERT INTO users (id, display_name) VALUES (990000001, 'Carol'); INSERT INTO playlists (user_id, id, name, collaborative) VALUES (990000001, 1, 'ours', true)"


@pytest.fixture
def scene(entangled: str) -> str:
    rows(entangled, ONWARD)
    return entangled


def refused(url: str, statement: str, role: str = "agent_owner") -> str:
    """By which trigger the guard refuses a statement; what it says names the table and nobody."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}; SET lock_timeout = '5s'")
        with pytest.raises(psycopg2.errors.CheckViolation) as caught:
            cursor.execute(statement)
    table = f"{caught.value.diag.schema_name}.{caught.value.diag.table_name}"
    assert caught.value.diag.message_primary == f'table "{table}" takes nothing of a person who is erased'
    assert not any(identifier in str(caught.value) for identifier in (*ADA.identifiers, *BOB.identifiers))
    return str(caught.value.diag.constraint_name)


def done(url: str, statement: str, role: str = "agent_owner") -> int:
    """How many rows a statement wrote."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {role}")
        cursor.execute(statement)
        return cursor.rowcount


def test_a_person_is_hidden_erased_swept_and_certified(scene: str) -> None:
    erasure = hide(scene, ADA.id, "public.listens")
    with working(scene, erasure) as cursor:
        cursor.execute("DELETE FROM listens WHERE user_id = %s", (ADA.id,))
        cursor.execute("SELECT ops.step_done_v1(%s, 0, %s, finished => true)", (erasure, cursor.rowcount))
    assert forget(scene, erasure) > 0
    certify(scene, erasure)
    assert rows(scene, "SELECT state, certificate FROM ops.erasures") == [
        ("certified", f'{{"erasure": "{erasure}"}}')
    ]
    assert rows(scene, "SELECT status FROM users ORDER BY id") == [("active",), ("erased",)]
    assert rows(scene, "SELECT done_rows, finished_at IS NOT NULL FROM ops.erasure_steps") == [(1, True)]
    assert hide(scene, ADA.id) == erasure
    assert hide(scene, BOB.id) != erasure


def test_every_guarded_table_refuses_a_row_of_somebody_hidden_and_takes_one_of_anybody_else(
    scene: str,
) -> None:
    rows(scene, CAROL)
    guarded = rows(
        scene,
        "SELECT class.relname::text FROM pg_trigger JOIN pg_class AS class ON class.oid = tgrelid"
        " WHERE tgname = class.relname || '_guard_insert'",
    )
    # Whose answers hold follows from the events; somebody's own row and their pseudonym are there already; a key is
    # made for somebody by a function alone.
    assert {name for (name,) in guarded} == {*INSERTS, "consent", "users", "pseudonyms", "subject_keys"}
    hide(scene, ADA.id)
    for table, statement in INSERTS.items():
        assert refused(scene, statement % {"id": ADA.id}) == SOONER.get(table, f"{table}_guard_insert")
        assert done(scene, statement % {"id": BOB.id}) > 0, table


def test_nobody_registers_under_the_number_of_somebody_who_was_hidden(scene: str) -> None:
    rows(scene, CAROL)
    again = "INSERT INTO users (id, display_name) VALUES ({}, 'again')"
    hide(scene, 990_000_001)
    rows(scene, "DELETE FROM playlists WHERE user_id = 990000001; DELETE FROM users WHERE id = 990000001")
    assert refused(scene, again.format(990_000_001)) == "users_guard_insert"
    rows(scene, "DELETE FROM ops.pseudonyms WHERE user_id = 990000001")
    assert refused(scene, "INSERT INTO ops.pseudonyms (user_id) VALUES (990000001)") == "pseudonyms_guard_insert"  # fmt: skip
    assert done(scene, again.format(990_000_002)) == 1


@pytest.mark.parametrize(
    ("statement", "trigger"),
    [
        ("UPDATE users SET email = 'ada@example.org' WHERE id = 880000222", "users_guard_update"),
        ("UPDATE listens SET client = 'web' WHERE user_id = 880000222", "listens_guard_update"),
        # A row becomes theirs.
        ("UPDATE listens SET user_id = 880000222 WHERE user_id = 770000111", "listens_guard_update"),
        ("UPDATE analytics SET user_id = 880000222 WHERE user_id = 0", "analytics_guard_update"),
        ("UPDATE playlist_items SET added_by = 880000222 WHERE user_id = 770000111 AND rank = 5", "playlist_items_guard_update"),
        # Each way to write more than one.
        ("INSERT INTO user_features SELECT * FROM user_features WHERE user_id = 880000222 ON CONFLICT (user_id, feature, event_at, created_at) DO NOTHING", None),
        ("INSERT INTO users (id, display_name) VALUES (880000222, 'again') ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name", "users_guard_update"),
        ("MERGE INTO listens USING (VALUES (880000222), (770000111)) AS who (id) ON false WHEN NOT MATCHED THEN INSERT (user_id, track_id, listened_at) VALUES (who.id, 10001, now())", "listens_guard_insert"),
        ("WITH moved AS (DELETE FROM listens WHERE user_id = 880000222 RETURNING *) INSERT INTO listens SELECT * FROM moved", "listens_guard_insert"),
        ("INSERT INTO listens (user_id, track_id, listened_at) SELECT 770000111 + n * 110000111, 10001, now() FROM generate_series(0, 1) AS n", "listens_guard_insert"),
    ],
)  # fmt: skip
def test_whatever_says_something_new_of_them_is_refused(
    scene: str, statement: str, trigger: str | None
) -> None:
    rows(scene, "INSERT INTO playlist_items (user_id, playlist_id, rank, track_id) VALUES (770000111, 440000222, 5, 10001)")  # fmt: skip
    hide(scene, ADA.id)
    if trigger is None:
        assert done(scene, statement) == 0
    else:
        assert refused(scene, statement) == trigger


def test_copy_is_refused_as_well(scene: str) -> None:
    hide(scene, ADA.id)
    copy = "COPY listens (user_id, track_id, listened_at) FROM STDIN"
    line = "{}\t10001\t2026-02-01\n"
    with connected(scene) as connection, connection.cursor() as cursor:
        cursor.copy_expert(copy, io.StringIO(line.format(BOB.id)))
        assert cursor.rowcount == 1
        with pytest.raises(psycopg2.errors.CheckViolation, match="takes nothing of a person who is erased"):
            cursor.copy_expert(copy, io.StringIO(line.format(BOB.id) + line.format(ADA.id)))


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        # What is no personal column may be filled in for all rows, as a backfill does.
        ("UPDATE users SET updated_at = now()", 2),
        ("UPDATE playlists SET snapshot_id = snapshot_id", 2),
        # To take something out is what an erasure does.
        ("UPDATE users SET display_name = NULL", 2),
        ("DELETE FROM listens", 2),
        ("TRUNCATE listens", -1),
        # Somebody else's row, which mentions them, goes on to be somebody else's.
        ("UPDATE playlist_items SET rank = rank + 10 WHERE user_id = 770000111", 1),
        ("UPDATE agent_tool_calls SET status = 'running' WHERE user_id = 770000111", 1),
    ],
)
def test_what_says_nothing_new_of_them_passes(scene: str, statement: str, count: int) -> None:
    hide(scene, ADA.id)
    assert done(scene, statement) == count


def test_the_application_of_somebody_who_shares_a_list_with_them_goes_on(scene: str) -> None:
    """The item that the hidden person put there is moved, and its past with it."""
    hide(scene, ADA.id)
    with connected(scene) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET ROLE agent_app; SET app.user_id = '{BOB.id}'")
        cursor.execute("SELECT playlist_insert_v1(%s, %s, '{10002,10003}')", (BOB.id, BOB.playlist))
        cursor.execute("SELECT playlist_move_v1(%s, %s, 0, 1, 3)", (BOB.id, BOB.playlist))
        cursor.execute("SELECT playlist_renumber_v1(%s, %s)", (BOB.id, BOB.playlist))
        cursor.execute("SELECT count(*) FROM playlist_items WHERE added_by = %s", (ADA.id,))
        assert cursor.fetchall() == [(1,)]


def test_the_guard_stands_when_the_person_has_been_erased_for_long(scene: str) -> None:
    erasure = hide(scene, ADA.id)
    forget(scene, erasure)
    certify(scene, erasure)
    assert rows(scene, "SELECT worker_xid FROM ops.tombstones") == [(None,)]
    assert refused(scene, INSERTS["listens"] % {"id": ADA.id}) == "listens_guard_insert"
    back = "UPDATE agent_conversations SET title = 'engines again' WHERE user_id = 880000222"
    assert refused(scene, back) == "agent_conversations_guard_update"


def test_only_the_transaction_that_works_on_a_person_touches_what_is_left(scene: str) -> None:
    erasure = hide(scene, ADA.id)
    change = "UPDATE listens SET client = 'none' WHERE user_id = 880000222"
    with working(scene, erasure) as cursor:
        cursor.execute(change)
        assert cursor.rowcount == 1
        # Nobody else, while it does; nor the same session, afterwards.
        assert refused(scene, INSERTS["listens"] % {"id": ADA.id}) == "listens_guard_insert"
        cursor.connection.commit()
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="nobody is being erased"):
            cursor.execute(change.replace("none", "web"))
        cursor.connection.rollback()


def test_a_prepared_statement_of_a_session_that_knew_nobody_erased_is_refused(scene: str) -> None:
    with connected(scene) as connection, connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
        cursor.execute("PREPARE listened AS INSERT INTO listens (user_id, track_id, listened_at) VALUES ($1, 10001, now())")  # fmt: skip
        for _ in range(7):
            cursor.execute("EXECUTE listened(%s)", (ADA.id,))
        hide(scene, ADA.id)
        with pytest.raises(psycopg2.errors.CheckViolation):
            cursor.execute("EXECUTE listened(%s)", (ADA.id,))
        cursor.execute("EXECUTE listened(%s)", (BOB.id,))
        assert cursor.rowcount == 1


def test_a_guard_of_a_later_table_takes_arrays_and_text_too(scene: str) -> None:
    rows(
        scene,
        "CREATE TABLE chat (id bigint PRIMARY KEY, who text, members bigint[], said text);"
        "ALTER TABLE chat OWNER TO agent_owner; SELECT ops.guard_table_v1('public.chat', 'who', 'members')",
    )
    hide(scene, ADA.id)
    insert = "INSERT INTO chat VALUES ({}, {}, {}, 'hello')"
    taken = (("1", "NULL", "NULL"), ("2", "'nobody'", "'{770000111}'"), ("3", "''", "'{}'"))
    assert [done(scene, insert.format(*values)) for values in taken] == [1, 1, 1]
    for who, members in (
        ("'880000222'", "NULL"),
        ("'0880000222'", "NULL"),
        ("NULL", "'{770000111,880000222}'"),
    ):
        assert refused(scene, insert.format(9, who, members)) == "chat_guard_insert"
    assert refused(scene, "UPDATE chat SET who = 880000222") == "chat_guard_update"
    with pytest.raises(psycopg2.errors.UndefinedColumn, match='has no column "whom"'):
        rows(scene, "SELECT ops.guard_table_v1('public.chat', 'whom')")
    with pytest.raises(psycopg2.errors.DuplicateFunction, match="is guarded by a function of the name"):
        rows(scene, "CREATE TABLE ops.chat (who bigint); SELECT ops.guard_table_v1('ops.chat', 'who')")


def test_a_table_stays_guarded_when_it_is_partitioned(scene: str) -> None:
    hide(scene, ADA.id)
    convert("public.listens", "listened_at", settings=resolve_settings(scene))
    assert rows(scene, "SELECT relkind::text FROM pg_class WHERE oid = 'listens'::regclass") == [("p",)]
    # What was there went along.
    assert rows(scene, "SELECT count(*) FROM listens WHERE user_id = 880000222") == [(1,)]
    assert refused(scene, INSERTS["listens"] % {"id": ADA.id}) == "listens_guard_insert"
    assert done(scene, INSERTS["listens"] % {"id": BOB.id}) == 1
    # An update that moves a row to another partition is an update still.
    moved = "UPDATE listens SET listened_at = '2026-03-01' WHERE user_id = {}"
    assert done(scene, moved.format(BOB.id)) == 2
    assert refused(scene, moved.format(ADA.id)) == "listens_guard_update"


def test_nobody_but_the_owner_writes_to_a_partition_past_its_table(scene: str) -> None:
    partitions = rows(
        scene,
        "SELECT class.oid::regclass::text FROM pg_class AS class WHERE class.relispartition AND class.relkind = 'r'"
        " AND (has_table_privilege('agent_app', class.oid, 'INSERT, UPDATE')"
        "      OR has_table_privilege('agent_eraser', class.oid, 'INSERT, UPDATE, DELETE'))",
    )
    assert partitions == []
    assert len(rows(scene, "SELECT 1 FROM pg_class WHERE relispartition AND relkind = 'r'")) > 2


def test_a_statement_costs_one_look_up_a_row_however_many_were_erased(scene: str) -> None:
    """A plan made for many rows is used for one: it may not read all tombstones."""
    erasure = hide(scene, ADA.id)
    rows(
        scene,
        f"INSERT INTO ops.tombstones (subject_id, erasure_id) SELECT n, '{erasure}' FROM generate_series(1, 50000) AS n;"
        "ANALYZE ops.tombstones",
    )
    read = "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'tombstones'"
    insert = "INSERT INTO listens (user_id, track_id, listened_at) SELECT 770000111, 10001, now() FROM generate_series(1, {})"
    with connected(scene, autocommit=False) as connection, connection.cursor() as cursor:
        for most in (5000, 1):
            cursor.execute(insert.format(most))
        cursor.execute(read)
        assert cursor.fetchall() == [(0, 5001)]
