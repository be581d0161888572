"""What is physically left of what was erased is told, and when its last copy ends, or why nobody can tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import pytest
from gdpr_erasure.hidden import as_eraser
from gdpr_erasure.test_export_refused import login
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.residue import Residue, residue, residue_of
from support import connected, rows, until

SINCE = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
POLICIES = "INSERT INTO ops.backup_policies VALUES ('nightly', 'dump', '35 days'), ('weekly', 'files', '3 months 12:00')"


@contextmanager
def _erasing(url: str) -> Iterator[Cursor]:
    with as_eraser(url, autocommit=False) as cursor:
        yield cursor
        cursor.connection.commit()


def _of(url: str, *tables: str, within_days: int = 30) -> Residue:
    with _erasing(url) as cursor:
        return residue_of(cursor, tables, SINCE, within_days=within_days)


def test_the_files_of_what_was_erased_are_told_with_the_day_they_are_due(entangled: str) -> None:
    rows(entangled, "DELETE FROM playlist_collaborators; SELECT pg_stat_force_next_flush()")
    seen = _of(entangled, "public.playlist_collaborators", "public.playlist_collaborators", "public.gone")
    files = {one.name: one for one in seen.tables}
    # Those that each erasure writes to are among them.
    assert {"public.playlist_collaborators", "ops.pseudonyms", "pg_catalog.pg_statistic"} <= set(files)
    assert "public.gone" not in files
    one = files["public.playlist_collaborators"]
    assert (one.dead_rows, one.vacuumed_at, one.rewritten_at) == (2, None, None)
    assert one.bytes == rows(entangled, "SELECT pg_total_relation_size('playlist_collaborators')")[0][0]
    assert one.due_at is not None
    assert one.due_at - one.erased_at == timedelta(days=30)


def test_of_a_partitioned_table_the_partitions_that_were_written_to_are_told(entangled: str) -> None:
    seen = {one.name for one in _of(entangled, "public.analytics").tables}
    assert {name for name in seen if name.startswith("public.analytics")} == {"public.analytics_legacy"}


def test_what_is_erased_again_before_it_was_rewritten_keeps_its_day(entangled: str) -> None:
    first = {one.name: one.due_at for one in _of(entangled, "public.users").tables}
    again = {one.name: one for one in _of(entangled, "public.users", within_days=60).tables}
    assert again["public.users"].due_at == first["public.users"]
    rows(entangled, "UPDATE ops.rewrites SET rewritten_at = clock_timestamp()")
    clean = {one.name: one.due_at for one in residue(url=entangled).tables}
    assert set(clean.values()) == {None}
    due = {one.name: one.due_at for one in _of(entangled, "public.users", within_days=60).tables}
    assert str(due["public.users"]) > str(first["public.users"])


def test_the_last_copy_ends_with_the_last_backup_of_files_as_they_were(entangled: str) -> None:
    rows(entangled, POLICIES)
    seen = _of(entangled, "public.users")
    dump, files = seen.backups
    assert (dump.name, dump.kind, dump.kept_for) == ("nightly", "dump", "P35D")
    assert (files.name, files.kind, files.kept_for) == ("weekly", "files", "P3MT43200S")
    # A dump of later holds no row of the person; a copy of the files does until they are written anew.
    assert dump.ends_at == SINCE + timedelta(days=35)
    clean = max(one.due_at for one in seen.tables if one.due_at)
    assert rows(entangled, "SELECT %s + INTERVAL '3 months 12:00'", (clean,)) == [(files.ends_at,)]
    assert (seen.unknown, seen.last_copy_ends_at) == ((), files.ends_at)
    rows(entangled, "DELETE FROM ops.backup_policies WHERE kind = 'files'")
    assert _of(entangled, "public.users").last_copy_ends_at == clean


def test_where_nobody_declared_backups_nobody_is_told_when_the_last_copy_ends(entangled: str) -> None:
    seen = _of(entangled, "public.users")
    assert (seen.backups, seen.unknown, seen.last_copy_ends_at) == ((), ("backups_not_declared",), None)


def test_a_slot_that_nobody_reads_keeps_copies_without_end(entangled: str) -> None:
    rows(entangled, POLICIES)
    ((name,),) = rows(entangled, "SELECT 'kept_' || oid FROM pg_database WHERE datname = current_database()")
    rows(entangled, "SELECT pg_create_physical_replication_slot(%s, true)", (name,))
    try:
        seen = _of(entangled, "public.users")
        (slot,) = (one for one in seen.slots if one.name == name)
        assert (slot.kind, slot.is_active) == ("physical", False)
        assert (slot.bytes or 0) >= 0
        assert (seen.unknown, seen.last_copy_ends_at) == (("slot_without_reader",), None)
    finally:
        rows(entangled, "SELECT pg_drop_replication_slot(%s)", (name,))


def test_a_rewrite_that_is_late_makes_no_promise(entangled: str) -> None:
    rows(entangled, POLICIES)
    _of(entangled, "public.users")
    rows(entangled, "UPDATE ops.rewrites SET due_at = now() - interval '1 day'")
    seen = residue(url=entangled)
    assert (seen.unknown, seen.last_copy_ends_at) == (("rewrite_overdue",), None)


def test_sessions_that_may_still_see_what_was_deleted_are_counted(entangled: str) -> None:
    with connected(entangled, autocommit=False) as connection:
        connection.cursor().execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM users"
        )
        rows(entangled, "DELETE FROM playlist_collaborators")
        _of(entangled, "public.playlist_collaborators")
        # Who writes in another database of the server is one of them while it does; this session stays.
        until(lambda: residue(url=entangled).snapshots == 1)
    rows(entangled, "SELECT pg_current_xact_id()")
    until(lambda: residue(url=entangled).snapshots == 0)


def test_a_login_that_may_not_look_says_what_it_does_not_know(entangled: str) -> None:
    _of(entangled, "public.users")
    with login(entangled, "agent_auditor") as url:
        seen = residue(url=url)
    assert (seen.snapshots, seen.wal.bytes, seen.wal.oldest_at) == (None, None, None)
    until(lambda: residue(url=entangled).snapshots == 0)
    whole = residue(url=entangled)
    assert ((whole.wal.bytes or 0) > 0, whole.wal.oldest_at is None) == (True, False)
    assert [one.name for one in seen.tables] == [one.name for one in whole.tables]


def test_settings_by_which_values_reach_the_log_are_named(entangled: str) -> None:
    assert residue(url=entangled).logged == ()
    rows(entangled, "ALTER ROLE agent_auditor RESET ALL")
    with as_eraser(entangled, autocommit=False) as cursor:
        cursor.execute(
            "RESET ROLE; SET LOCAL log_min_duration_statement = 0; SET LOCAL log_statement = 'mod'"
        )
        cursor.execute("SET LOCAL ROLE agent_eraser")
        seen = residue_of(cursor, ["public.users"], SINCE)
        cursor.connection.rollback()
    assert seen.logged == ("log_min_duration_statement", "log_statement")


def test_it_is_plain_json(entangled: str) -> None:
    rows(entangled, POLICIES)
    seen = _of(entangled, "public.users")
    again = json.loads(json.dumps(seen.as_json()))
    assert again["since"] == "2026-01-31T12:00:00+00:00"
    assert [one["name"] for one in again["backups"]] == ["nightly", "weekly"]
    assert len(again["tables"]) == len(seen.tables)


def test_what_is_left_of_an_erasure_that_is_none_is_refused(entangled: str) -> None:
    with pytest.raises(SubjectError) as caught:
        residue(url=entangled, erasure="00000000-0000-4000-8000-000000000000")
    assert caught.value.problem == "there is no such erasure"
