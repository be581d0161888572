"""Write the files of tables anew: a row that is deleted stays in them until then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.database import (
    LOCK_NOT_AVAILABLE,
    open_connection,
    translated,
)
from spotify_ai_agent_migrations.versions.core.errors import LockError, PrivilegeError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import identifier

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
_PURPOSE: Final = "agentdb gdpr-erasure rewrite"
# Longer than it takes to write so much, nobody should be kept from a table unasked.
MOST_BYTES: Final = 1 << 30
WAIT_S: Final = 60.0
_POLL_S: Final = 0.2


@dataclass(frozen=True)
class Left:
    """A table whose files are as they were, and why: too_large, locked or not_owner."""

    table: str
    why: str
    bytes: int


@dataclass(frozen=True)
class _Bounds:
    """How large a table may be, and until when those who may still see are waited for."""

    most_bytes: int | None
    deadline: float
    wait_s: float


@dataclass(frozen=True)
class Rewritten:
    """The tables whose files were written anew, and those that were not."""

    tables: tuple[str, ...]
    left: tuple[Left, ...]


def rewrite(
    url: str | None = None,
    *,
    tables: Sequence[str] | None = None,
    due_only: bool = False,
    most_bytes: int | None = MOST_BYTES,
    wait_s: float = WAIT_S,
) -> Rewritten:
    """Write the files anew that hold what was erased: of all tables, of *tables*, or of those that are due.

    What another session may still see is written again, so all that is older than the last erasure is waited
    for first, for *wait_s* seconds. A table of more than *most_bytes* is left as it is: whoever reads it or
    writes to it waits as long as that takes.

    Locks: ACCESS EXCLUSIVE on one table after another, each while its files are written. Needs room on disk
    for the largest of them.

    Raises:
        PrivilegeError: the login does not see what others are in.
        LockError: somebody may still see what was erased, after *wait_s*.
    """
    connection = open_connection(resolve_settings(url), purpose=_PURPOSE)
    with translated(), closing(connection):
        connection.autocommit = True
        _check(connection)
        found = [
            row
            for row in _rows(connection, "rewrite_wanted")
            if (tables is None or row[0] in tables) and (row[3] or not due_only)
        ]
        bounds = _Bounds(most_bytes, time.monotonic() + wait_s, wait_s)
        left = {name: _rewritten(connection, name, size, may, bounds) for name, size, may, _ in found}
        _run(connection, "rewrite_gone")
    sizes = {row[0]: int(row[1]) for row in found}
    return Rewritten(
        tuple(name for name, why in left.items() if why is None),
        tuple(Left(name, why, sizes[name]) for name, why in left.items() if why is not None),
    )


def _check(connection: Connection) -> None:
    ((may, login),) = _rows(connection, "rewrite_may_look")
    if not may:
        raise PrivilegeError(
            f'the login "{login}" does not see which transactions are older than an erasure',
            hint=f'as an administrator run GRANT pg_read_all_stats TO "{login}";',
        )


def _await_readers(connection: Connection, table: str, bounds: _Bounds) -> None:
    """Wait until nobody sees what was erased so far; that nobody will again follows from it."""
    catalogs = table.startswith("pg_catalog.")
    while readers := _rows(connection, "residue_snapshots", catalogs=catalogs)[0][0]:
        if time.monotonic() >= bounds.deadline:
            raise LockError(
                f"{readers} sessions, prepared transactions or slots may still see what was erased, "
                f"after {bounds.wait_s:g} s",
                hint="agentdb health-check names them: end them, and call it again",
            )
        time.sleep(_POLL_S)


def _rewritten(connection: Connection, table: str, size: int, may: bool, bounds: _Bounds) -> str | None:
    """Write one table anew, and return why not where it was not."""
    if bounds.most_bytes is not None and size > bounds.most_bytes:
        return "too_large"
    if not may:
        return "not_owner"
    # What is erased from here on asks for the next time, whatever is seen of it.
    before, begun = _file(connection, table)
    _await_readers(connection, table, bounds)
    try:
        with connection.cursor() as cursor:
            cursor.execute(SQL(_SQL["rewrite_table"]).format(table=identifier(table)))
    except psycopg2.Error as error:
        if error.pgcode == LOCK_NOT_AVAILABLE:
            return "locked"
        raise
    # To whom it is not allowed, the server says so in a warning, and goes on.
    if _file(connection, table)[0] == before:
        return "not_owner"
    if _rows(connection, "rewrite_is_superuser") == [(True,)]:
        _run(connection, "rewrite_forget", table=table)
    _run(connection, "rewrite_done", table=table, begun=begun)
    return None


def _file(connection: Connection, table: str) -> tuple[int, datetime]:
    ((file, now),) = _rows(connection, "rewrite_file", table=table)
    return file, now


def _rows(connection: Connection, name: str, **values: object) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL[name], values)
        return cursor.fetchall()


def _run(connection: Connection, name: str, **values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_SQL[name], values)
