"""Make a clone of a database on the same server, and drop it again whatever happens."""

from __future__ import annotations

import logging
import re
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Composed, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import open_connection, translate, translated
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, PrivilegeError, ServerError
from spotify_ai_agent_migrations.versions.core.programs import (
    client_environment,
    program_for,
    spoken_conninfo,
)
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries

# To copy more would take long, and keep new sessions of the database waiting meanwhile.
MOST_COPIED_BYTES: Final = 1 << 30

_SQL: Final = queries("spotify_ai_agent_migrations.versions.core")
_log: Final = logging.getLogger("spotify_ai_agent_migrations")
_PURPOSE: Final = "agentdb shadow"
_IN_USE: Final = "55006"
_INSUFFICIENT_PRIVILEGE: Final = "42501"
_LEAVING_S: Final = 1.0
# What psql alone understands, and what would take the bounds away or is unknown to an older server.
_NOT_FOR_US: Final = re.compile(
    r"^(?:\\(?:un)?restrict .*"
    r"|SET (?:statement|lock|idle_in_transaction_session|transaction)_timeout = 0;)$\n",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Shadow:
    """A clone: how to connect to it, and whether its tables hold the rows of the original."""

    settings: Settings
    filled: bool


@contextmanager
def shadow(settings: Settings, *, kept: Sequence[str] = ()) -> Iterator[Shadow]:
    """Make a clone of the database for the block.

    With its rows (`CREATE DATABASE … TEMPLATE`) where nobody else is connected to it, it is no larger than
    MOST_COPIED_BYTES and this is not production; else without (`pg_dump --schema-only`), but for the rows of
    the tables *kept*, named with their schema. A clone whose process was killed is dropped by the next one.
    Locks: the copy keeps new sessions of the original waiting; the dump takes ACCESS SHARE on every table.

    Raises:
        PrivilegeError: this login may not create databases.
        ServerError: `pg_dump` is needed and is not there, or fails.
    """
    with closing(open_connection(settings, purpose=_PURPOSE)) as first:
        original = first.info.dbname
    with closing(_beside(settings, original)) as admin:
        admin.autocommit = True
        _drop_leftovers(admin)
        name = f"agentdb_shadow_{admin.info.backend_pid}_{uuid.uuid4().hex[:8]}"
        clone = replace(settings, conninfo={**settings.conninfo, "dbname": name}, source="shadow")
        try:
            filled = _copied(admin, settings, original, name)
            if not filled:
                _dump(admin, settings, clone, kept)
            _log.info("working on a clone %s rows", "with its" if filled else "without")
            yield Shadow(clone, filled)
        finally:
            with translated(f'the clone "{name}" cannot be dropped'):
                _drop(admin, name)


def _beside(settings: Settings, original: str) -> Connection:
    """Connect to another database of the server: nobody may be connected to one that is copied."""
    others = [name for name in ("postgres", "template1") if name != original]
    for name in others[:-1]:
        with suppress(ServerError):
            return _elsewhere(settings, name)
    return _elsewhere(settings, others[-1])


def _elsewhere(settings: Settings, name: str) -> Connection:
    conninfo = {**settings.conninfo, "dbname": name}
    return open_connection(replace(settings, conninfo=conninfo), purpose=_PURPOSE)


def _copied(admin: Connection, settings: Settings, original: str, name: str) -> bool:
    """Copy the database with its rows, if it can be; tell whether it was."""
    if settings.environment == "production" or not _copyable(admin, original):
        return False
    statement = SQL(_SQL["copy_database"])
    try:
        _run(admin, statement.format(name=Identifier(name), original=Identifier(original)))
    except psycopg2.Error as error:
        # Somebody has come meanwhile, or it belongs to another role: it can still be dumped.
        if error.pgcode in {_IN_USE, _INSUFFICIENT_PRIVILEGE}:
            return False
        raise _refused(error) from error
    return True


def _copyable(admin: Connection, original: str) -> bool:
    """Tell whether the database is small and left alone; sessions that end just now are waited for."""
    deadline = time.monotonic() + _LEAVING_S
    while True:
        with admin.cursor() as cursor:
            cursor.execute(
                _SQL["copyable"],
                {"name": original, "most_bytes": MOST_COPIED_BYTES, "purpose": _PURPOSE},
            )
            small, alone = cursor.fetchone() or (False, False)
        if not small or alone or time.monotonic() > deadline:
            return bool(small and alone)
        time.sleep(0.1)


def _dump(admin: Connection, settings: Settings, clone: Settings, kept: Sequence[str]) -> None:
    """Make the clone from the schema alone, and the rows of the tables *kept*."""
    with closing(open_connection(settings, purpose=_PURPOSE)) as original:
        try:
            _run(admin, _creation(original, clone.conninfo["dbname"]))
        except psycopg2.Error as error:
            raise _refused(error) from error
        script = _dumped(settings, original.server_version // 10_000)
        with translated("the clone cannot be filled"), closing(_opened(clone)) as target, target:
            _let_owners_make(original, target)
            target.cursor().execute(script)
            for table in kept:
                _copy(original, target, table)


def _let_owners_make(original: Connection, target: Connection) -> None:
    """Let whoever owns something make things in `public` of the clone: the script says so at its end only."""
    with original.cursor() as cursor:
        cursor.execute(_SQL["owners"])
        owners = [str(name) for (name,) in cursor.fetchall()]
    for owner in owners:
        target.cursor().execute(SQL(_SQL["let_make"]).format(owner=Identifier(owner)))


def _creation(original: Connection, name: str) -> Composed:
    """Return the statement that makes an empty database with the encoding and the locale of *original*."""
    with original.cursor() as cursor:
        cursor.execute(_SQL["locale_of_database"])
        found = cursor.fetchone()
    assert found is not None
    encoding, collate, ctype, provider, locale = found
    words = {
        "c": SQL(" LOCALE_PROVIDER libc"),
        "i": SQL(" LOCALE_PROVIDER icu ICU_LOCALE {}"),
        "b": SQL(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}"),
    }
    tail = words[provider].format(Literal(locale))
    values = {"encoding": Literal(encoding), "collate": Literal(collate), "ctype": Literal(ctype)}
    return SQL(_SQL["create_database"]).format(name=Identifier(name), **values, locale=tail)


def _dumped(settings: Settings, server: int) -> str:
    """Return the schema as a script."""
    program = program_for("pg_dump", server)
    command: list[str | Path] = [
        program, "--schema-only", "--no-subscriptions", "--encoding=UTF8",
        f"--lock-wait-timeout={settings.lock_timeout_ms}",
        f"--dbname={spoken_conninfo(settings, program='pg_dump')}",
    ]  # fmt: skip
    limit_s = settings.statement_timeout_ms / 1_000
    try:
        done = subprocess.run(
            command, env=client_environment(settings), capture_output=True, encoding="utf-8", check=False,
            timeout=limit_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ServerError(
            f"pg_dump did not end within {limit_s:.0f} s",
            hint="give it longer with -x statement-timeout-ms=…",
        ) from None
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "error:" in line), "no reason given")
        raise ServerError(
            f"the schema cannot be dumped: {reason.partition('error: ')[2] or reason}",
            hint="give this login SELECT on every table and sequence, or connect as their owner",
        )
    return _NOT_FOR_US.sub("", done.stdout)


def _opened(settings: Settings) -> Connection:
    return open_connection(settings, purpose=_PURPOSE)


def _copy(original: Connection, target: Connection, table: str) -> None:
    """Copy the rows of *table*, if there is such a table."""
    named = SQL(".").join(map(Identifier, table.split(".")))
    with original.cursor() as cursor:
        cursor.execute(_SQL["is_there"], {"name": table})
        if cursor.fetchone() != (True,):
            return
        # No COPY: an interruptible connection does not bear it.
        cursor.execute(SQL(_SQL["rows_of"]).format(table=named))
        rows = cursor.fetchone()
    target.cursor().execute(SQL(_SQL["add_rows"]).format(table=named), {"rows": rows[0] if rows else None})


def _drop_leftovers(admin: Connection) -> None:
    """Drop the clones whose makers are gone, as far as this login may."""
    with admin.cursor() as cursor:
        cursor.execute(_SQL["leftover_shadows"])
        names = [str(name) for (name,) in cursor.fetchall()]
    for name in names:
        with suppress(psycopg2.Error):
            _drop(admin, name)


def _drop(admin: Connection, name: str) -> None:
    names = {"name": Identifier(name)}
    try:
        _run(admin, SQL(_SQL["drop_database"]).format(**names))
    except psycopg2.errors.InsufficientPrivilege:
        # Only a superuser may throw out a worker of autovacuum; without force it is asked to go.
        _run(admin, SQL(_SQL["drop_idle_database"]).format(**names))


def _run(connection: Connection, statement: Composed) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _refused(error: psycopg2.Error) -> MigrationError:
    if error.pgcode == _INSUFFICIENT_PRIVILEGE:
        return PrivilegeError(
            "this login may not create databases, and so make no clone",
            hint="ALTER ROLE … CREATEDB, or plan without a clone",
        )
    return translate(error, doing="the clone cannot be made")
