"""Measure statements on a live connection, inside the transaction that is open there.

The server is asked, not the statement: which locks this session holds that it did not hold before, which
relations have a new file, how often each was read from one end to the other. All of that is the same on an
empty table as on a full one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.change import Change, Held, Relation, Relations, held
from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.measurement import MODES, Lock, Measurement, strongest_first
from spotify_ai_agent_migrations.versions.core.reads import read_as_a_whole
from spotify_ai_agent_migrations.versions.core.sql import queries

_SQL: Final = queries("spotify_ai_agent_migrations.versions.core")
_MODES: Final = {"".join(map(str.title, f"{mode} LOCK".split())): mode for mode in MODES}
_CHANGES_ROWS: Final = ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY")
# None of these takes a table lock that stops others, whatever its transaction holds already.
_NEVER_BLOCKS: Final = (*_CHANGES_ROWS, "SELECT", "VALUES", "SHOW", "SET")


class Meter:
    """Measures the statements of one connection, one after the other.

    Reads only, and takes no lock that stops anybody. The server's own schemas and temporary tables are not
    looked at. A lock that a statement gives back before it ends is not seen; few do that.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._now: Relations = {}
        self._old: frozenset[int] = frozenset()
        self._inherited: Held = frozenset()
        self._names: Relations = {}

    def begin(self, *, inherit: bool = False) -> None:
        """Begin a revision: what is there now is old; with *inherit*, locks held now are of an earlier one.

        Raises:
            SettingsError: the server does not count scans.
        """
        require_counts(self._connection)
        now = self.look()
        self._old = frozenset(oid for oid, found in now.items() if found.name is not None)
        self._inherited = held(now) if inherit else frozenset()

    @property
    def old(self) -> frozenset[int]:
        """What was there when the revision began."""
        return self._old

    def look(self) -> Relations:
        """Look again at everything: since the last statement that was measured, others were executed."""
        return self._seen(relations(self._connection))

    def _seen(self, now: Relations) -> Relations:
        self._now = now
        # A relation that is dropped stays locked, and is known by the name it had.
        self._names |= {oid: found for oid, found in now.items() if found.name is not None}
        return now

    def measure(self, cursor: Cursor, run: Callable[[], object], statement: str = "") -> Measurement:
        """Run what executes one statement on *cursor*, and return what it did.

        With the text of the *statement*, a query under locks that stop others is first asked for its plan.
        What *run* raises is raised.
        """
        before = self._now
        stops = any(lock.blocks for lock in named_locks(held(before), self._names, self._old))
        whole = read_as_a_whole(statement, self._connection) if stops else frozenset()
        with listening(self._connection) as told:
            wal_before = wal_bytes(self._connection)
            started = time.perf_counter()
            run()
            duration_ms = (time.perf_counter() - started) * 1_000
            wal_after = wal_bytes(self._connection)
        # Nothing changes in a transaction that it has not locked, and locks stay to its end.
        after = self._seen({**before, **relations(self._connection, locked=True)})
        held_before = held(before)
        tag = cursor.statusmessage or ""
        change = Change(before, after, tag, tuple(told), is_query=is_query(cursor), whole=whole)
        worked = set() if tag.startswith(_NEVER_BLOCKS) else set(change.worked())
        return Measurement(
            locks=named_locks(held(after) - held_before, self._names, self._old),
            held=named_locks(held_before - self._inherited, self._names, self._old),
            unclear=named_locks(
                {one for one in held_before & self._inherited if one[0] in worked}, self._names, self._old
            ),
            work=change.work(self._old, self._names),
            rows=changed_rows(cursor),
            wal_bytes=wal_after - wal_before,
            duration_ms=duration_ms,
        )


def relations(connection: Connection, *, shared: bool = False, locked: bool = False) -> Relations:
    """Return every relation by its oid, with the locks and the scans of this transaction.

    With *shared*, the scans are those of all sessions together, ended ones included; with *locked*, only the
    relations that this transaction has locked.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SQL["meter_relations"], {"shared": shared, "locked": locked})
        return {row[0]: Relation._make((*row[:-1], tuple(row[-1]))) for row in cursor.fetchall()}


def named_locks(found: Iterable[tuple[int, str]], names: Relations, old: frozenset[int]) -> tuple[Lock, ...]:
    """Return the locks *found* on relations with names, strongest first."""
    locks = (
        Lock(str(names[oid].name), _MODES[mode], str(names[oid].kind), fresh=oid not in old)
        for oid, mode in found
        if oid in names and names[oid].name is not None
    )
    return tuple(sorted(locks, key=strongest_first))


def changed_rows(cursor: Cursor) -> int | None:
    """Return how many rows were changed; a SELECT without columns to show has made a table of its own."""
    tag = cursor.statusmessage or ""
    made = tag.startswith("SELECT") and cursor.description is None
    return cursor.rowcount if made or tag.startswith(_CHANGES_ROWS) else None


def is_query(cursor: Cursor) -> bool:
    """Tell whether what was executed reads tables as its plan, or a trigger, wants it."""
    tag = cursor.statusmessage or ""
    return tag.startswith((*_CHANGES_ROWS, "TRUNCATE")) or (
        tag.startswith("SELECT") and cursor.description is not None
    )


def wal_bytes(connection: Connection) -> int:
    """Return how far the server's write-ahead log has come."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["meter_wal"])
        found = cursor.fetchone()
    assert found is not None
    return int(found[0])


def require_counts(connection: Connection) -> None:
    """Refuse a session whose scans the server does not count."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW track_counts")
        if cursor.fetchone() != ("on",):
            raise SettingsError(
                "track_counts is off for this session, so that no scan can be seen",
                hint="set track_counts to on for this role, or connect as one that may",
            )


@contextmanager
def listening(connection: Connection) -> Iterator[deque[str]]:
    """Collect what the server says of its work, which is seen nowhere else."""
    told: deque[str] = deque()
    kept = connection.notices
    wanted = _set_messages(connection, "debug1")
    # Anything but a list: of that the driver keeps the last fifty only.
    connection.notices = told  # type: ignore[assignment]
    try:
        yield told
    finally:
        connection.notices = kept
    # A transaction whose statement has failed takes no more commands, and sets it back itself.
    _set_messages(connection, wanted)


def _set_messages(connection: Connection, level: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(_SQL["meter_messages"], {"level": level, "local": not connection.autocommit})
        found = cursor.fetchone()
    assert found is not None
    return str(found[0])
