"""Keep the journal: who did what to the schema, with which file, and how it ended.

It belongs to the runner and to no revision, so `downgrade base` keeps it. `started` is written on a
connection of its own, so that it stays whatever becomes of the migration; `applied` in the migration's own
transaction, so that it is there exactly when the change is. One writer at a time: whoever holds the migration
lock.
"""

from __future__ import annotations

import getpass
import json
import socket
import subprocess
import sys
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Final

import alembic
import psycopg2
import sqlalchemy
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json, RealDictCursor
from psycopg2.sql import SQL, Identifier, Placeholder

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.database import remedy_of_ownership
from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError
from spotify_ai_agent_migrations.versions.core.fingerprint import SchemaObject, described_by
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.runner.entry import (
    COLUMNS,
    GENESIS,
    End,
    Entry,
    Origin,
    Written,
    columns_of,
    from_columns,
    sealed,
    unfinished,
)

_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner")
_INSUFFICIENT_PRIVILEGE: Final = "42501"
_INSERT: Final = SQL("INSERT INTO ops.migration_journal ({}) VALUES ({})").format(
    SQL(", ").join(map(Identifier, COLUMNS)), SQL(", ").join(map(Placeholder, COLUMNS))
)


class Journal:
    """Writes the entries of one command; its own connection is opened with the first of them."""

    def __init__(self, opener: Callable[[], Connection]) -> None:
        self._opener = opener
        self._opened: Connection | None = None

    def write(
        self,
        entry: Entry,
        *,
        within: Connection | None = None,
        objects: Sequence[SchemaObject] | None = None,
    ) -> Written:
        """Add *entry*, as a part of the transaction of *within*, else at once; return it as it stands.

        With *objects*, whose hash *entry* ends with, what the schema is now is kept too; with an empty
        sequence, that nobody knows it.

        Raises:
            PrivilegeError: the journal is not there, and this login may not make it.
        """
        if within is not None:
            return self._written(within, entry, objects)
        own = self._connection
        try:
            written = self._written(own, entry, objects)
            own.commit()
        except BaseException:
            # So that the next entry finds no dead transaction; what is wrong is told by the error.
            with suppress(psycopg2.Error):
                own.rollback()
            raise
        return written

    def _written(
        self, connection: Connection, entry: Entry, objects: Sequence[SchemaObject] | None
    ) -> Written:
        with connection.cursor() as cursor:
            written = _add(cursor, entry, self._origin)
            if objects is not None:
                cursor.execute(_SQL["keep_schema"], _kept(connection, entry, objects))
        return written

    def unfinished(self) -> Written | None:
        """Return the last attempt if nobody wrote how it ended."""
        left = last_unfinished(self._connection)
        self._connection.commit()
        return left

    def locks_of(self, pid: int) -> dict[str, list[str]]:
        """Return which relations that others see a session has locked, and in which modes."""
        found = locks_of(self._connection, pid)
        self._connection.commit()
        return found

    def close(self) -> None:
        """Close the connection, if one was opened."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _connection(self) -> Connection:
        if self._opened is None:
            self._opened = self._opener()
            _prepare(self._opened)
        return self._opened

    @cached_property
    def _origin(self) -> Origin:
        return Origin(
            run=str(uuid.uuid4()),
            git_commit=_git_commit(),
            os_user=_os_user(),
            host=socket.gethostname(),
            application_version=str(sys.modules["spotify_ai_agent_migrations"].__version__),
            alembic_version=alembic.__version__,
            sqlalchemy_version=sqlalchemy.__version__,
        )


def _add(cursor: Any, entry: Entry, origin: Origin) -> Written:  # noqa: ANN401  (psycopg2's, untyped here)
    cursor.execute(_SQL["journal_end"])
    entries, head, at, user, server_version = cursor.fetchone()
    written = sealed(
        entry, origin, End(entries, head), at=at, database_user=user, server_version=server_version
    )
    row = columns_of(written)
    values = {**row, **{name: Json(row[name]) for name in ("locks", "details") if row[name] is not None}}
    cursor.execute(_INSERT, values)
    cursor.execute(_SQL["move_end"], {"id": written.id, "hash": written.hash})
    return written


def _kept(connection: Connection, entry: Entry, objects: Sequence[SchemaObject]) -> dict[str, object]:
    if not objects:
        return {"described_by": None, "fingerprint": None, "objects": None}
    return {
        "described_by": described_by(connection),
        "fingerprint": entry.fingerprint_after,
        "objects": zlib.compress(json.dumps(objects).encode(), 1),
    }


def _prepare(connection: Connection) -> None:
    """Make the journal where there is none."""
    try:
        with connection, connection.cursor() as cursor:
            if _first(cursor, "has_journal"):
                return
            if not _first(cursor, "has_operations_schema"):
                cursor.execute(_SQL["create_operations_schema"])
            cursor.execute(_SQL["create_journal"], {"genesis": GENESIS.head})
    except psycopg2.Error as error:
        if error.pgcode != _INSUFFICIENT_PRIVILEGE:
            raise
        raise PrivilegeError(
            f"the migration journal cannot be made: {error.diag.message_primary}",
            hint=remedy_of_ownership(connection),
        ) from error


def locks_of(connection: Connection, pid: int) -> dict[str, list[str]]:
    """Return which relations that *connection* sees another session has locked, and in which modes."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["locks_of"], {"pid": pid})
        return {str(name): list(modes) for name, modes in cursor.fetchall()}


def exists(connection: Connection) -> bool:
    """Tell whether the database has a journal."""
    with connection.cursor() as cursor:
        return bool(_first(cursor, "has_journal"))


def entries(connection: Connection, *, since: int = 1) -> tuple[Written, ...]:
    """Return the entries from number *since* on, in order."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(_SQL["journal_entries"], {"since": since})
        return tuple(from_columns(row) for row in cursor.fetchall())


def last_unfinished(connection: Connection) -> Written | None:
    """Return the last attempt if nobody wrote how it ended."""
    if not exists(connection):
        return None
    with connection.cursor() as cursor:
        last = _first(cursor, "last_attempt")
    return unfinished(entries(connection, since=last)) if last is not None else None


def server_time(connection: Connection) -> str:
    """Return the time of the server, to the second, in UTC."""
    with connection.cursor() as cursor:
        return str(_first(cursor, "now"))


def recorded_end(connection: Connection) -> End:
    """Return where the journal says that it ends; where that is gone, at its beginning."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["recorded_end"])
        found = cursor.fetchone()
    return End(*found) if found else GENESIS


def journaled_heads(connection: Connection) -> tuple[str, ...] | None:
    """Return where the database is by its journal; None where that says nothing yet."""
    with connection.cursor() as cursor:
        found = _first(cursor, "journaled_heads")
    if found is None:
        return None
    return tuple(str(found).split(",")) if found else ()


def was_production(connection: Connection) -> bool:
    """Tell whether a gate of production ever answered here, or where this database was copied from."""
    with connection.cursor() as cursor:
        return bool(_first(cursor, "has_journal")) and bool(_first(cursor, "was_production"))


def applied_checksums(connection: Connection) -> Mapping[str, tuple[str, str | None]]:
    """Return by revision the checksums of the file, and of its code, that were applied or accepted."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["applied_checksums"])
        return {str(revision): (str(own), code) for revision, own, code in cursor.fetchall()}


def kept_fingerprint(connection: Connection) -> tuple[str | None, str | None]:
    """Return how the schema was described when it was journaled last, and its hash."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["kept_schema"])
        found = cursor.fetchone()
    return found or (None, None)


def kept_objects(connection: Connection) -> tuple[SchemaObject, ...]:
    """Return the schema as it was journaled last; nothing where it never was."""
    with connection.cursor() as cursor:
        found = _first(cursor, "kept_objects")
    if not found:
        return ()
    return tuple(SchemaObject(*described) for described in json.loads(zlib.decompress(found)))


def _first(cursor: Any, name: str) -> Any:  # noqa: ANN401  (psycopg2's)
    """Return the first column of the first row of a query; None where there is no row."""
    cursor.execute(_SQL[name])
    found = cursor.fetchone()
    return found[0] if found else None


def _git_commit() -> str | None:
    """Return the commit of this checkout; None where it is none, or Git is not there."""
    if not (PACKAGE_ROOT / ".git").exists():
        return None
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=PACKAGE_ROOT,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
        return done.stdout.strip()
    return None


def _os_user() -> str | None:
    with suppress(OSError, KeyError):
        return getpass.getuser()
    return None
