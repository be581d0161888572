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
from spotify_ai_agent_migrations.versions.core.sql import queries

_SQL: Final = queries("spotify_ai_agent_migrations.versions.core")
_MODES: Final = {"".join(map(str.title, f"{mode} LOCK".split())): mode for mode in MODES}
_VALIDATES: Final = "validating foreign key constraint"
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
        self.look()
        self._old = frozenset(oid for oid, found in self._now.items() if found.name is not None)
        self._inherited = held(self._now) if inherit else frozenset()

    def look(self) -> None:
        """Look again, after statements that were not measured."""
        self._now = relations(self._connection)
        # A relation that is dropped stays locked, and is known by the name it had.
        self._names |= {oid: found for oid, found in self._now.items() if found.name is not None}

    def measure(self, cursor: Cursor, run: Callable[[], object]) -> Measurement:
        """Run what executes one statement on *cursor*, and return what it did.

        What *run* raises is raised.
        """
        before = self._now
        with validations(self._connection) as told:
            wal_before = wal_bytes(self._connection)
            started = time.perf_counter()
            run()
            duration_ms = (time.perf_counter() - started) * 1_000
            wal_after = wal_bytes(self._connection)
        self.look()
        tag = cursor.statusmessage or ""
        change = Change(before, self._now, tag, validates=validates(told))
        work = change.work(self._old, self._names)
        held_before = held(before)
        worked = set() if tag.startswith(_NEVER_BLOCKS) else set(change.worked())
        return Measurement(
            locks=named_locks(held(self._now) - held_before, self._names, self._old),
            held=named_locks(held_before - self._inherited, self._names, self._old),
            unclear=named_locks(
                {one for one in held_before & self._inherited if one[0] in worked}, self._names, self._old
            ),
            work=work,
            rows=changed_rows(cursor),
            wal_bytes=wal_after - wal_before,
            duration_ms=duration_ms,
        )


def relations(connection: Connection, *, shared: bool = False) -> Relations:
    """Return every relation by its oid, with the locks and the scans of this transaction.

    With *shared*, the scans are those of all sessions together, ended ones included.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SQL["meter_relations"], {"shared": shared})
        return {row[0]: Relation(*row[:-1], modes=tuple(row[-1])) for row in cursor.fetchall()}


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


def wal_bytes(connection: Connection) -> int:
    """Return how far the server's write-ahead log has come."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["meter_wal"])
        found = cursor.fetchone()
    assert found is not None
    return int(found[0])


def validates(told: Iterable[str]) -> bool:
    """Tell whether a foreign key was validated. The words are in English on every server."""
    return any(_VALIDATES in line for line in told)


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
def validations(connection: Connection) -> Iterator[deque[str]]:
    """Collect what the server says of the foreign keys it validates; it says so nowhere else."""
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
