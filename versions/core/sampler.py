"""Measure a statement that cannot run in a transaction, by watching it from beside. For a clone only.

Such a statement has let its locks go when it ends. So two sessions stand in its way, one as a writer of every
table and one as a reader, and step aside as soon as it waits for them: what it waits for is a lock that
would stop others, and is seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.change import Change, Relations
from spotify_ai_agent_migrations.versions.core.measurement import Measurement
from spotify_ai_agent_migrations.versions.core.meter import (
    changed_rows,
    is_query,
    listening,
    named_locks,
    relations,
    require_counts,
    wal_bytes,
)
from spotify_ai_agent_migrations.versions.core.sql import queries

_SQL: Final = queries("spotify_ai_agent_migrations.versions.core")
_POLL_S: Final = 0.002
# VACUUM does not wait for who is in its way: it tries for five seconds to cut the end of a table off.
_LONGEST_IN_THE_WAY_S: Final = 1.0
_WRITER: Final = ("ROW EXCLUSIVE", frozenset({"r", "p", "f"}))
_READER: Final = ("ACCESS SHARE", frozenset({"r", "f"}))


def measure_alone(
    cursor: Cursor,
    run: Callable[[], object],
    opener: Callable[[], Connection],
    *,
    old: frozenset[int] | None = None,
) -> Measurement:
    """Run what executes one statement on *cursor*, in autocommit, and return what it did.

    *opener* makes the sessions that stand beside; *old* is what the revision found, or all that is there.
    Locks: ROW EXCLUSIVE on every table it may lock, until the statement waits for that. It is executed for
    good: on a database that others use they would meet these locks too.

    Raises:
        SettingsError: the server does not count scans. What *run* raises is raised.
    """
    connection = cursor.connection
    with ExitStack() as stack:
        beside = stack.enter_context(_open(opener, autocommit=True))
        require_counts(connection)
        _settle(connection)
        before = relations(beside, shared=True)
        in_the_way = [stack.enter_context(_standing(opener, before, *way)) for way in (_WRITER, _READER)]
        wal_before, started = wal_bytes(beside), time.perf_counter()
        # The statement stays in this thread: a driver that is interrupted cancels what runs in it.
        with listening(connection) as told, _Watch(connection.info.backend_pid, beside, in_the_way) as watch:
            run()
        duration_ms = (time.perf_counter() - started) * 1_000
        wal_after = wal_bytes(beside)
        _settle(connection)
        after = relations(beside, shared=True)
    known = frozenset(before) if old is None else old
    # An index that is gone was dead to everybody before it was locked.
    gone = {oid for oid, found in before.items() if found.kind == "i" and oid not in after}
    names = {**before, **after}
    return Measurement(
        locks=named_locks({(oid, mode) for oid, mode in watch.seen if oid not in gone}, names, known),
        work=Change(before, after, cursor.statusmessage or "", tuple(told), is_query=is_query(cursor)).work(
            known, names
        ),
        rows=changed_rows(cursor),
        wal_bytes=wal_after - wal_before,
        duration_ms=duration_ms,
    )


class _Watch:
    """Notes from a thread which locks session *pid* takes, and lets who is in the way go when it waits."""

    def __init__(self, pid: int, beside: Connection, in_the_way: list[Connection]) -> None:
        self._pid = pid
        self._beside = beside
        self._in_the_way = in_the_way
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="measured-alone", daemon=True)
        self._failure: psycopg2.Error | None = None
        self.seen: set[tuple[int, str]] = set()

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    def _look(self) -> None:
        deadline = time.monotonic() + _LONGEST_IN_THE_WAY_S
        try:
            while not self._over.wait(_POLL_S):
                waits, locks = _sample(self._beside, self._pid)
                self.seen |= locks
                if self._in_the_way and (waits or time.monotonic() > deadline):
                    self._in_the_way.pop(0).rollback()
        except psycopg2.Error as error:
            self._failure = error
            for one in self._in_the_way:
                # Or the statement would wait for it until its time is over.
                one.close()


def _sample(beside: Connection, pid: int) -> tuple[bool, set[tuple[int, str]]]:
    """Return whether session *pid* waits for a lock, and the locks it has or waits for."""
    with beside.cursor() as cursor:
        cursor.execute(_SQL["sampled_locks"], {"pid": pid})
        found = cursor.fetchall()
    waits = any(not granted for _, _, granted in found)
    return waits, {(oid, mode) for oid, mode, _ in found if oid is not None}


def _settle(connection: Connection) -> None:
    """Let the server add up at once what this session has read."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["settle_counts"])


@contextmanager
def _open(opener: Callable[[], Connection], *, autocommit: bool = False) -> Iterator[Connection]:
    connection = opener()
    try:
        connection.autocommit = autocommit
        yield connection
    finally:
        connection.close()


@contextmanager
def _standing(
    opener: Callable[[], Connection], found: Relations, mode: str, kinds: frozenset[str]
) -> Iterator[Connection]:
    """Hold a lock on every relation of *kinds* that this login may lock."""
    with _open(opener) as connection:
        for one in found.values():
            if one.kind in kinds and one.name is not None:
                _lock(connection, one.name, mode)
        yield connection


def _lock(connection: Connection, name: str, mode: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT unlocked")
        try:
            # The server has quoted the name; a partition has an entry of its own.
            cursor.execute(SQL(_SQL["lock_relation"]).format(name=SQL(name), mode=SQL(mode)))
        except psycopg2.Error:
            cursor.execute("ROLLBACK TO SAVEPOINT unlocked")
