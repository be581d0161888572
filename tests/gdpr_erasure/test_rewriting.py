"""A row that was deleted is in its file until that is written anew, and then it is not."""

from __future__ import annotations

import re

import pytest
from gdpr_erasure.hidden import as_eraser
from gdpr_erasure.test_export_refused import login

from faults import role_of
from spotify_ai_agent_migrations.versions.core.errors import LockError, PrivilegeError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.residue import (
    Rewritten,
    residue,
    residue_of,
    rewrite,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.rewriting import Left
from support import Databases, connected, rows

TABLES = ("public.users", "public.user_identities")
SECRET = b"ada.lovelace@example.org"
FILE = "SELECT pg_read_binary_file(pg_relation_filepath(%s::regclass))"
SEEN = "sessions, prepared transactions or slots may still see what was erased, after 0 s"
WANTED = "SELECT count(*) FROM ops.rewrites WHERE rewritten_at IS NULL"


@pytest.fixture
def erased(entangled: str) -> str:
    """The URL of a database in whose files a person is who is in no row of it."""
    rows(entangled, "UPDATE users SET email = NULL WHERE id = 880000222")
    rows(entangled, "DELETE FROM user_identities WHERE user_id = 880000222")
    with as_eraser(entangled) as cursor:
        ((now,),) = rows(entangled, "SELECT clock_timestamp()")
        residue_of(cursor, TABLES, now)  # type: ignore[arg-type]
    return entangled


def _file(url: str, table: str = "users") -> bytes:
    rows(url, "CHECKPOINT")
    ((held,),) = rows(url, FILE, (table,))
    assert isinstance(held, memoryview)
    return bytes(held)


def test_what_vacuum_leaves_in_the_file_is_gone_with_a_rewrite(erased: str) -> None:
    assert SECRET in _file(erased)
    done = rewrite(erased)
    assert (set(TABLES) <= set(done.tables), done.left) == (True, ())
    assert "pg_catalog.pg_statistic" in done.tables
    for place in ("users", "users_email_hmac_key", "pg_statistic"):
        assert SECRET not in _file(erased, place)
    assert b"bob.dobbs@example.org" in _file(erased)
    files = residue(url=erased).tables
    assert {one.due_at for one in files} == {None}
    assert all(one.rewritten_at is not None and one.rewritten_at > one.erased_at for one in files)


def test_a_second_one_does_nothing_until_something_is_erased_again(erased: str) -> None:
    rewrite(erased)
    assert rewrite(erased) == Rewritten((), ())
    with as_eraser(erased) as cursor:
        residue_of(cursor, TABLES, residue(url=erased).at)
    assert set(TABLES) <= set(rewrite(erased).tables)


def test_tables_are_chosen_by_name_by_size_and_by_their_day(erased: str) -> None:
    assert rewrite(erased, due_only=True) == Rewritten((), ())
    assert rewrite(erased, tables=["public.users"]).tables == ("public.users",)
    rows(erased, "UPDATE ops.rewrites SET due_at = now() WHERE table_name = 'public.user_identities'")
    ((size,),) = rows(erased, "SELECT pg_total_relation_size('user_identities')")
    assert rewrite(erased, due_only=True, most_bytes=1) == Rewritten(
        (), (Left("public.user_identities", "too_large", int(str(size))),)
    )
    assert rewrite(erased, due_only=True).tables == ("public.user_identities",)


def test_who_may_still_see_it_is_waited_for_and_named_by_number(erased: str) -> None:
    with connected(erased, autocommit=False) as connection:
        connection.cursor().execute(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM locales"
        )
        rows(erased, "DELETE FROM playlist_collaborators")
        with as_eraser(erased) as cursor:
            residue_of(cursor, ["public.playlist_collaborators"], residue(url=erased).at)
        with pytest.raises(LockError) as caught:
            rewrite(erased, wait_s=0)
    # Those of other tests count, where they write.
    assert re.fullmatch(rf"[1-9]\d* {SEEN}", caught.value.problem)
    assert rows(erased, WANTED)[0][0] != 0
    assert set(TABLES) <= set(rewrite(erased).tables)


def test_who_writes_in_another_database_is_waited_for_too(entangled: str, databases: Databases) -> None:
    with connected(databases.url("postgres"), autocommit=False) as elsewhere:
        elsewhere.cursor().execute("SELECT pg_current_xact_id()")
        rows(entangled, "UPDATE users SET email = NULL WHERE id = 880000222")
        with as_eraser(entangled) as cursor:
            residue_of(cursor, ["public.users"], residue(url=entangled).at)
        with pytest.raises(LockError) as caught:
            rewrite(entangled, wait_s=0)
        assert re.fullmatch(rf"[1-9]\d* {SEEN}", caught.value.problem)
    assert SECRET in _file(entangled)
    assert "public.users" in rewrite(entangled).tables
    assert SECRET not in _file(entangled)


def test_a_table_that_somebody_uses_is_left_as_it_is_and_the_others_are_not(erased: str) -> None:
    with connected(erased, autocommit=False) as connection:
        connection.cursor().execute("LOCK TABLE users IN ACCESS SHARE MODE")
        # A lock alone is no snapshot.
        done = rewrite(erased, tables=TABLES)
    assert (done.tables, [(one.table, one.why) for one in done.left]) == (
        ("public.user_identities",), [("public.users", "locked")],
    )  # fmt: skip


def test_a_table_of_somebody_else_is_left_and_told(erased: str) -> None:
    with login(erased, "pg_read_all_stats", "agent_auditor") as url:
        rows(erased, f"GRANT UPDATE, DELETE ON ops.rewrites TO {role_of(url)}")
        done = rewrite(url)
    assert (done.tables, {one.why for one in done.left}) == ((), {"not_owner"})


def test_a_login_that_does_not_see_who_is_older_is_refused_with_the_grant(erased: str) -> None:
    with login(erased, "agent_auditor") as url, pytest.raises(PrivilegeError) as caught:
        rewrite(url)
    assert caught.value.problem == (
        f'the login "{role_of(url)}" does not see which transactions are older than an erasure'
    )
    assert caught.value.hint == f'as an administrator run GRANT pg_read_all_stats TO "{role_of(url)}";'


def test_a_table_that_is_gone_is_forgotten(erased: str) -> None:
    rows(erased, "CREATE TABLE gone AS SELECT 1 AS a; ALTER TABLE gone OWNER TO agent_owner")
    with as_eraser(erased) as cursor:
        residue_of(cursor, ["public.gone"], residue(url=erased).at)
    asked = "SELECT count(*) FROM ops.rewrites WHERE table_name = 'public.gone'"
    assert rows(erased, asked) == [(1,)]
    rows(erased, "DROP TABLE gone")
    rewrite(erased)
    assert rows(erased, asked) == [(0,)]
