"""A session whose statement was cancelled, wherever that was, can be asked the next one."""

from __future__ import annotations

import threading
import time
from contextlib import closing

from psycopg2.errors import QueryCanceled

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.health_check.session import Session
from support import connected

_CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = %s AND state <> 'idle'"


def test_a_session_that_is_cancelled_anywhere_goes_on(empty_url: str) -> None:
    settings = resolve_settings(empty_url)
    ends = time.monotonic() + 60
    with closing(Session(settings, deadline=ends)) as session:
        session.open()
        ((pid,),) = session.rows("SELECT pg_backend_pid()", most_s=5)
        is_done = threading.Event()

        def cancel() -> None:
            with connected(empty_url) as connection, connection.cursor() as cursor:
                while not is_done.is_set():
                    cursor.execute(_CANCEL, (pid,))

        other = threading.Thread(target=cancel)
        other.start()
        answered = cancelled = 0
        try:
            while (answered < 50 or cancelled < 50) and time.monotonic() < ends - 30:
                try:
                    assert session.rows("SELECT 1", most_s=5) == [(1,)]
                    answered += 1
                except QueryCanceled:
                    cancelled += 1
        finally:
            is_done.set()
            other.join()
        assert min(answered, cancelled) > 0
        assert session.rows("SELECT 2", most_s=5) == [(2,)]
