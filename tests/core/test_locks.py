"""The migration lock is taken by polling, within a bound, and its holder is named."""

from __future__ import annotations

import threading
import time

import pytest
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations import LockError
from spotify_ai_agent_migrations.versions.core import locks
from spotify_ai_agent_migrations.versions.core.locks import BlockerWatch, advisory_lock, lock_key
from support import connected, rows

KEY = lock_key("test")


def test_the_key_is_the_same_in_every_process_and_release() -> None:
    assert lock_key("alembic_version") == -6077125803103655088
    assert lock_key("alembic_version") != lock_key("other")


def test_a_second_session_waits_for_the_first_and_then_has_it(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    was_refused = threading.Event()
    ask = locks._ask

    def asked(connection: Connection, name: str, **values: int) -> list[tuple[object, ...]]:
        answer = ask(connection, name, **values)
        if answer == [(False,)]:
            was_refused.set()
        return answer

    monkeypatch.setattr(locks, "_ask", asked)

    def second() -> None:
        with connected(empty_url, autocommit=False) as connection:
            with advisory_lock(connection, KEY, wait_ms=10_000):
                order.append("second")

    with connected(empty_url, autocommit=False) as first:
        with advisory_lock(first, KEY, wait_ms=0):
            thread = threading.Thread(target=second)
            thread.start()
            assert was_refused.wait(30)
            order.append("first")
        thread.join()
    assert order == ["first", "second"]


def test_a_waiter_keeps_no_transaction_open_and_gives_up_in_time_naming_the_holder(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as holder, connected(empty_url, autocommit=False) as waiter:
        with advisory_lock(holder, KEY, wait_ms=0):
            started = time.monotonic()
            with pytest.raises(LockError) as caught, advisory_lock(waiter, KEY, wait_ms=300):
                pass
            assert 0.3 <= time.monotonic() - started < 5
        pid = holder.info.backend_pid
    assert caught.value.problem.startswith(
        f"waited 300 ms for the migration lock and gave up; nothing was changed; held by pid {pid}, user "
    )
    assert caught.value.hint == f"let it finish, or end it with SELECT pg_terminate_backend({pid});"


def test_the_lock_is_given_back_and_no_transaction_is_left(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as connection:
        with advisory_lock(connection, KEY, wait_ms=0):
            assert connection.info.transaction_status == 0
            held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = %s"
            assert rows(empty_url, held, (connection.info.backend_pid,)) == [(1,)]
        assert rows(empty_url, held, (connection.info.backend_pid,)) == [(0,)]


def test_a_failed_transaction_gives_the_lock_back_too(empty_url: str) -> None:
    with connected(empty_url, autocommit=False) as connection:
        with pytest.raises(ZeroDivisionError), advisory_lock(connection, KEY, wait_ms=0):
            connection.cursor().execute("SELECT 1")
            raise ZeroDivisionError
        with connected(empty_url, autocommit=False) as other, advisory_lock(other, KEY, wait_ms=0):
            assert other.info.transaction_status == 0


def test_the_watch_names_who_blocks_without_the_literals_of_their_query(empty_url: str) -> None:
    def opener() -> object:
        import psycopg2

        return psycopg2.connect(empty_url)

    with connected(empty_url, autocommit=False) as holder, connected(empty_url, autocommit=False) as waiter:
        pid = holder.info.backend_pid
        holder.cursor().execute("CREATE TABLE held (name text); COMMIT; BEGIN")
        holder.cursor().execute("LOCK held; SELECT 'luisg@example.org'")
        waiter.cursor().execute("SET lock_timeout = 600")
        with BlockerWatch(waiter.info.backend_pid, opener, after_s=0.1) as watch:  # type: ignore[arg-type]
            with pytest.raises(Exception, match="lock timeout"):
                waiter.cursor().execute("LOCK held")
        (seen,) = watch.seen
    assert seen.pid == pid
    assert (seen.state, seen.query) == ("idle in transaction", "LOCK held; SELECT ?")
