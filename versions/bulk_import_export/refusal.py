"""Say what the server refuses besides a row: a lock that was not free, and statements as a whole."""

from __future__ import annotations

import re
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.database import (
    DEADLOCK_DETECTED,
    LOCK_NOT_AVAILABLE,
    open_connection,
    translate,
)
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, LockError, MigrationError
from spotify_ai_agent_migrations.versions.core.locks import BlockerWatch, Session
from spotify_ai_agent_migrations.versions.core.settings import Settings

_RAISED: Final = "P0"


def is_custom(sqlstate: str) -> bool:
    """Tell whether *sqlstate* is none of PostgreSQL's own: only a function can have raised it."""
    return bool(sqlstate) and _name(sqlstate) is None


def words(sqlstate: str) -> str:
    """Return what *sqlstate* means, in words of PostgreSQL's documentation."""
    name = _name(sqlstate) or "UnknownError"
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()


def _name(sqlstate: str) -> str | None:
    try:
        return psycopg2.errors.lookup(sqlstate).__name__
    except KeyError:
        return None


def elsewhere(error: psycopg2.Error, *, doing: str) -> MigrationError:
    """Translate what is no row's fault; the words of a function stay out, they may repeat any value."""
    sqlstate = error.pgcode or ""
    if sqlstate.startswith(_RAISED) or is_custom(sqlstate) or (sqlstate and _called(error)):
        return DatabaseError(
            f"{doing}: a trigger or function refused it (SQLSTATE {sqlstate})",
            hint="ask whoever wrote it; what was not committed is undone",
            sqlstate=sqlstate,
        )
    return translate(error, doing=doing)


def _called(error: psycopg2.Error) -> bool:
    """Tell whether a function raised the error on purpose, under a code of PostgreSQL's own."""
    return error.diag.source_function == "exec_stmt_raise"


def blockers(connection: Connection, settings: Settings) -> BlockerWatch:
    """Return a watch over who blocks *connection*, to name them once a lock has timed out."""
    return BlockerWatch(
        connection.info.backend_pid,
        lambda: open_connection(settings, purpose="agentdb blocker watch"),
        after_s=max(settings.lock_timeout_ms / 2_000, 0.05),
    )


def is_lock(error: psycopg2.Error) -> bool:
    """Tell whether *error* says that a lock was not free."""
    return error.pgcode in {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED} and not _called(error)


def gave_up(
    error: psycopg2.Error, *, doing: str, table: str, wait_ms: int, seen: tuple[Session, ...]
) -> LockError:
    """Return the error for a lock that was not free: on which table, for how long, and who had it."""
    named = "; ".join(map(str, seen)) or "nobody that could be seen"
    remedies = " ".join(blocker.remedy for blocker in seen)
    reason = f"waited {wait_ms} ms for a lock on {table} and gave up; nothing was changed"
    if error.pgcode == DEADLOCK_DETECTED:
        reason = f"{table} and another session waited for each other, and the server ended this one"
    return LockError(
        f"{doing}: {reason}; in the way: {named}",
        hint=f"let it finish and run again, or end it with {remedies}" if seen else "run it again",
    )
