"""Open connections, and turn what the driver raises into the errors of this package. Nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import (
    DatabaseError,
    LockError,
    MigrationError,
    PrivilegeError,
    ServerError,
    SettingsError,
)
from spotify_ai_agent_migrations.versions.core.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy

OLDEST_SERVER: Final = 15

LOCK_NOT_AVAILABLE: Final = "55P03"
DEADLOCK_DETECTED: Final = "40P01"
SERIALIZATION_FAILURE: Final = "40001"

_INVALID_PASSWORD: Final = ("28P01", "28000")
_INSUFFICIENT_PRIVILEGE: Final = "42501"
_DATA_EXCEPTION: Final = "22"
_SHOW_ROWS: Final = (
    "nothing was changed; say ALTER TABLE … NO FORCE ROW LEVEL SECURITY before it and FORCE after it, "
    "or connect as a role with BYPASSRLS"
)
# From the first quotation mark of any language to the last: a value may hold some itself.
_QUOTED: Final = re.compile("[\"'«»„“”].*[\"'«»„“”]", re.DOTALL)


@contextmanager
def connect(
    settings: Settings, *, purpose: str = "agentdb", row_security: bool = True
) -> Iterator[Connection]:
    """Open one connection for the block; commit at its end, roll back on an error, close either way.

    Time-outs and the search path are options of the session, so no statement ever waits without a bound
    and no role's own search_path sends an object elsewhere. With *row_security* off the server refuses to
    filter rows silently.

    Raises:
        ServerError: unreachable, refused, or older than PostgreSQL 15.
        MigrationError: whatever a statement of the block made the server raise, translated.
    """
    with translated():
        connection = open_connection(settings, purpose=purpose, row_security=row_security)
        try:
            with connection:
                yield connection
        finally:
            connection.close()


def open_connection(
    settings: Settings, *, purpose: str = "agentdb", row_security: bool = True, actor: str | None = None
) -> Connection:
    """Open one connection that the caller closes; see `connect`. The audit trail calls its user *actor*."""
    options = {
        "lock_timeout": settings.lock_timeout_ms,
        "statement_timeout": settings.statement_timeout_ms,
        "idle_in_transaction_session_timeout": settings.idle_in_transaction_timeout_ms,
        "search_path": "public",
        "row_security": "on" if row_security else "off",
        **({"app.actor_type": actor} if actor else {}),
    }
    spoken = " ".join(f"-c {name}={value}" for name, value in options.items())
    parameters: dict[str, Any] = {
        "connect_timeout": settings.connect_timeout_s,
        # A dead path to the server would otherwise be waited on for as long as the kernel likes.
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60_000,
        "application_name": purpose,
        "client_encoding": "UTF8",
        **settings.conninfo,
        "options": f"{settings.conninfo.get('options', '')} {spoken}".strip(),
    }
    try:
        connection = psycopg2.connect(make_dsn(**parameters))
    except psycopg2.OperationalError as error:
        raise _refused(error, settings) from error
    _notice_dead_clients(connection)
    if connection.server_version < OLDEST_SERVER * 10_000:
        version = connection.server_version // 10_000
        connection.close()
        raise ServerError(
            f"the server is PostgreSQL {version}, and {OLDEST_SERVER} is the oldest supported",
            hint=f"upgrade the server to PostgreSQL {OLDEST_SERVER} or later",
        )
    return connection


def engine(settings: Settings, *, purpose: str = "agentdb") -> sqlalchemy.Engine:
    """Return an engine for migrations, whose every connection is a new one from `open_connection`.

    Where row security would hide rows from a backfill, the statement fails instead of changing none.
    The engine's own URL is bare: it holds no secret to print, and means psycopg2 in SQLAlchemy 2.0 and 2.1.
    """
    # Late: whoever migrates has it loaded, and nobody else needs it.
    import sqlalchemy

    return sqlalchemy.create_engine(
        "postgresql+psycopg2://",
        creator=lambda: open_connection(settings, purpose=purpose, row_security=False, actor="migration"),
        poolclass=sqlalchemy.NullPool,
        hide_parameters=True,
    )


@contextmanager
def translated(doing: str | None = None) -> Iterator[None]:
    """Translate what the driver or SQLAlchemy raises in the block; *doing* says what failed."""
    try:
        yield
    except psycopg2.Error as error:
        raise translate(error, doing=doing) from error
    except Exception as error:
        # SQLAlchemy keeps there what the driver raised.
        original = getattr(error, "orig", None)
        if not isinstance(original, psycopg2.Error):
            raise
        raise translate(original, doing=doing) from error


def translate(error: psycopg2.Error, *, doing: str | None = None) -> MigrationError:
    """Return the error of this package that says what *error* says, without any value of a row."""
    sqlstate = error.pgcode
    message = shown_message(error)
    problem = f"{doing}: {message}" if doing else message
    if hides_rows(error):
        return PrivilegeError(problem, hint=_SHOW_ROWS)
    if sqlstate == _INSUFFICIENT_PRIVILEGE:
        return PrivilegeError(problem, hint=error.diag.message_hint or "connect as a role that may do this")
    if sqlstate in {LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED}:
        return LockError(problem, hint="nothing was changed; run it again when the blocking session is gone")
    if sqlstate is None:
        return ServerError(
            f"{doing}: the connection was lost" if doing else "the connection to the server was lost",
            hint="look at the server's log; what was not committed is undone",
        )
    hint = error.diag.message_hint or f"SQLSTATE {sqlstate}; what was not committed is undone"
    return DatabaseError(problem, hint=hint, sqlstate=sqlstate)


def hides_rows(error: psycopg2.Error) -> bool:
    """Tell whether the server refused a statement because row security would have hidden rows from it."""
    # Its code says "insufficient privilege", as many others do, and its text comes in any language.
    return error.pgcode == _INSUFFICIENT_PRIVILEGE and error.diag.source_function == "check_enable_rls"


def remedy_of_ownership(connection: Connection) -> str:
    """Return what an administrator runs so that the login of *connection* owns the database."""
    command = SQL("ALTER DATABASE {} OWNER TO {};").format(
        Identifier(connection.info.dbname), Identifier(connection.info.user)
    )
    return f"as an administrator run {command.as_string(connection)}"


def shown_message(error: psycopg2.Error) -> str:
    """Return the server's primary message on one line, values of rows taken out.

    Messages of class 22 (data exception) quote the offending value; the others quote names of objects.
    """
    message = " ".join((error.diag.message_primary or type(error).__name__).split())
    if (error.pgcode or "").startswith(_DATA_EXCEPTION):
        return _QUOTED.sub('"…"', message)
    return message


def _notice_dead_clients(connection: Connection) -> None:
    """Let the server end a statement whose client was killed, instead of finishing it under its locks."""
    # Not an option of the session: where the platform cannot look, the login itself would fail.
    with connection.cursor() as cursor, suppress(psycopg2.DataError):
        cursor.execute("SET client_connection_check_interval = '2s'")
    connection.commit()


def _refused(error: psycopg2.OperationalError, settings: Settings) -> MigrationError:
    """Say why no connection came about; libpq's text names host and user, never the password."""
    where = settings.shown_url
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[0].rpartition("failed: ")[2] if lines else "no reason given"
    if "password" in reason or error.pgcode in _INVALID_PASSWORD:
        return ServerError(
            f"{where} refused the login: {reason}", hint=f"mend user and password ({settings.source})"
        )
    if reason.startswith("invalid "):
        return SettingsError(f"the database URL is malformed: {reason}", hint=f"mend it ({settings.source})")
    if "does not exist" in reason:
        return ServerError(
            f"{where} refused: {reason}", hint=f"create it, or name another ({settings.source})"
        )
    return ServerError(
        f"{where} cannot be reached: {reason}",
        hint=f"start the server, or mend host and port ({settings.source})",
    )
