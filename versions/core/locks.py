"""Advisory locks by polling, and the names of those who are in the way."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.errors import LockError, MigrationError
from spotify_ai_agent_migrations.versions.core.sql import queries, without_literals

_SQL: Final = queries("spotify_ai_agent_migrations.versions.core")
_HIDDEN: Final = "its query is hidden from this role, which is not a member of pg_read_all_stats"
_POLL_S: Final = 0.1
_POLL_MOST_S: Final = 1.0


@dataclass(frozen=True)
class Session:
    """Another session of the server, or a prepared transaction, which has no process (`pid` 0)."""

    pid: int
    user: str
    application: str
    state: str
    query: str

    @property
    def remedy(self) -> str:
        """The statement that ends it."""
        if self.pid:
            return f"SELECT pg_terminate_backend({self.pid});"
        return "ROLLBACK PREPARED '{}';".format(self.application.replace("'", "''"))

    def __str__(self) -> str:
        if not self.pid:
            return f'prepared transaction "{self.application}" of user "{self.user}"'
        called = f" ({self.application})" if self.application else ""
        return f'pid {self.pid}, user "{self.user}"{called}, {self.state}: {self.query}'


def lock_key(name: str) -> int:
    """Return the advisory lock key of *name*: the same in every process, version and language."""
    digest = hashlib.sha256(f"spotify_ai_agent_migrations:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


@contextmanager
def advisory_lock(
    connection: Connection, key: int, *, wait_ms: int, called: str = "the migration lock"
) -> Iterator[None]:
    """Hold the session advisory lock *key* on *connection* for the block; an error calls it *called*.

    Polls and never queues: a session that waits inside PostgreSQL keeps a snapshot, and the holder's
    CREATE INDEX CONCURRENTLY would wait for it for ever. Leaves no transaction open, before or after.

    Raises:
        LockError: not free within *wait_ms*; names the holder.
    """
    _acquire(connection, key, wait_ms=wait_ms, called=called)
    try:
        yield
    finally:
        # A connection that is gone has given its locks back already.
        with suppress(psycopg2.Error):
            connection.rollback()
            _ask(connection, "advisory_unlock", key=key)


def _acquire(connection: Connection, key: int, *, wait_ms: int, called: str) -> None:
    deadline = time.monotonic() + wait_ms / 1_000
    pause_s = _POLL_S
    while not _ask(connection, "try_advisory_lock", key=key)[0][0]:
        if time.monotonic() >= deadline:
            raise _held(connection, key, wait_ms, called)
        # Those who began together would poll together, and but one of them find the lock free each time.
        spread_s = pause_s * random.uniform(0.25, 1)  # noqa: S311  (jitter, not a secret)
        time.sleep(min(spread_s, max(0.0, deadline - time.monotonic())))
        pause_s = min(pause_s * 1.5, _POLL_MOST_S)


def _held(connection: Connection, key: int, wait_ms: int, called: str) -> LockError:
    holders = sessions(_ask(connection, "advisory_lock_holder", key=key))
    named = "; ".join(map(str, holders)) or "a session that has just ended"
    return LockError(
        f"waited {wait_ms} ms for {called} and gave up; nothing was changed; held by {named}",
        hint=f"let it finish, or end it with {holders[0].remedy}" if holders else "run it again",
    )


class BlockerWatch:
    """Remember who blocks one session, so that a lock time-out can name them.

    Once a statement has timed out it waits no longer, and nobody can tell what for. So a thread looks
    from a connection of its own, opened only when the block has lasted *after_s*.
    """

    def __init__(self, pid: int, opener: Callable[[], Connection], *, after_s: float) -> None:
        self._pid = pid
        self._opener = opener
        self._after_s = after_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="blocker-watch", daemon=True)
        self._seen: tuple[Session, ...] = ()

    @property
    def seen(self) -> tuple[Session, ...]:
        """The blockers seen last."""
        return self._seen

    def __enter__(self) -> BlockerWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=10)

    def _look(self) -> None:
        if self._over.wait(self._after_s):
            return
        # To name a blocker is a courtesy: failing at it must not fail the migration.
        with suppress(psycopg2.Error, MigrationError):
            connection = self._opener()
            try:
                while True:
                    self._seen = sessions(_ask(connection, "blockers", pid=self._pid)) or self._seen
                    if self._over.wait(self._after_s):
                        return
            finally:
                connection.close()


def _ask(connection: Connection, name: str, **values: int) -> list[tuple[object, ...]]:
    """Run one query and end its transaction, so that no snapshot is kept."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL[name], values)
        rows = cursor.fetchall()
    connection.commit()
    return rows


def sessions(rows: Iterable[tuple[object, ...]]) -> tuple[Session, ...]:
    """Return the sessions of rows: process, user, application, state and query."""
    return tuple(
        Session(
            pid=int(str(pid)),
            user=str(user),
            application=str(application or ""),
            state=str(state or "unknown"),
            query=_HIDDEN if query == "<insufficient privilege>" else without_literals(str(query or "")),
        )
        for pid, user, application, state, query in rows
    )
