"""Connections are bounded, fixed in their search path, and their errors are ours."""

from __future__ import annotations

from collections.abc import Callable

import psycopg2
import pytest

from faults import role_of
from spotify_ai_agent_migrations import DatabaseError, LockError, PrivilegeError, ServerError
from spotify_ai_agent_migrations.versions.core import database
from spotify_ai_agent_migrations.versions.core.database import connect, engine
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from support import connected, rows


def settings(url: str, *, lock_timeout_ms: int = 2_000) -> Settings:
    return resolve_settings(url, lock_timeout_ms=lock_timeout_ms)


def shown(url: str, name: str) -> str:
    with connect(settings(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        row = cursor.fetchone()
    assert row is not None
    return str(row[0])


def test_no_statement_of_a_session_waits_for_ever(empty_url: str) -> None:
    assert shown(empty_url, "lock_timeout") == "2s"
    assert shown(empty_url, "statement_timeout") == "15min"
    assert shown(empty_url, "idle_in_transaction_session_timeout") == "5min"


def test_a_role_with_a_search_path_of_its_own_still_works_in_public(
    empty_url: str, login: Callable[..., str]
) -> None:
    url = login()
    with connected(empty_url) as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {role_of(url)} SET search_path = elsewhere")
    assert rows(url, "SHOW search_path") == [("elsewhere",)]
    assert shown(url, "search_path") == "public"


def test_options_of_the_url_are_kept_beside_ours(empty_url: str) -> None:
    url = f"{empty_url}&options=-c%20work_mem%3D5MB"
    assert shown(url, "work_mem") == "5MB"
    assert shown(url, "lock_timeout") == "2s"


def test_a_block_that_fails_is_rolled_back_and_one_that_ends_is_committed(empty_url: str) -> None:
    with pytest.raises(DatabaseError), connect(settings(empty_url)) as connection:
        connection.cursor().execute("CREATE TABLE lost ()")
        connection.cursor().execute("SELECT 1/0")
    with connect(settings(empty_url)) as connection:
        connection.cursor().execute("CREATE TABLE kept ()")
    assert rows(empty_url, "SELECT to_regclass('lost'), to_regclass('kept')::text") == [(None, "kept")]


def test_a_value_quoted_by_the_server_is_not_repeated(empty_url: str) -> None:
    with pytest.raises(DatabaseError) as caught, connect(settings(empty_url)) as connection:
        connection.cursor().execute("SELECT 'luisg@example.org'::integer")
    assert caught.value.problem == 'invalid input syntax for type integer: "…"'
    assert caught.value.sqlstate == "22P02"
    assert isinstance(caught.value.__cause__, psycopg2.Error)


def test_an_unreachable_server_is_named_with_the_remedy() -> None:
    with pytest.raises(ServerError) as caught, connect(settings("postgresql://u:hunter2@127.0.0.1:1/d")):
        pass
    assert caught.value.problem == "postgresql://u@127.0.0.1:1/d cannot be reached: Connection refused"
    assert caught.value.hint == "start the server, or mend host and port (url)"
    assert "hunter2" not in str(caught.value)


def test_a_database_that_is_not_there_is_named(empty_url: str) -> None:
    url = empty_url.replace("/t", "/missing_t", 1)
    with pytest.raises(ServerError) as caught, connect(settings(url)):
        pass
    assert caught.value.problem.endswith("does not exist")
    assert caught.value.hint == "create it, or name another (url)"


def test_a_server_older_than_15_is_refused(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The oldest servers at hand are supported, so the bound moves instead.
    monkeypatch.setattr(database, "OLDEST_SERVER", 99)
    with pytest.raises(ServerError) as caught, connect(settings(empty_url)):
        pass
    assert caught.value.problem.startswith("the server is PostgreSQL 1")
    assert caught.value.problem.endswith(", and 99 is the oldest supported")
    assert caught.value.hint == "upgrade the server to PostgreSQL 99 or later"


def test_a_missing_privilege_is_an_error_of_its_own(login: Callable[..., str]) -> None:
    with pytest.raises(PrivilegeError) as caught, connect(settings(login())) as connection:
        connection.cursor().execute("CREATE TABLE here ()")
    assert caught.value.problem == "permission denied for schema public"


def test_a_lock_that_is_not_free_in_time_is_an_error_of_its_own(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as holder:
        holder.cursor().execute("CREATE TABLE held (); COMMIT; BEGIN; LOCK held")
        with (
            pytest.raises(LockError) as caught,
            connect(settings(empty_url, lock_timeout_ms=50)) as connection,
        ):
            connection.cursor().execute("LOCK held")
    assert caught.value.problem == "canceling statement due to lock timeout"


def test_an_engine_holds_no_secret(empty_url: str) -> None:
    made = engine(settings(f"{empty_url}&password=hunter2"))
    assert "hunter2" not in f"{made!r} {made.url!r} {made.url.render_as_string(hide_password=False)}"
    with made.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
