"""Write a table into a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composed, Identifier

from spotify_ai_agent_migrations.versions.bulk_import_export import plan
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL, find_table
from spotify_ai_agent_migrations.versions.bulk_import_export.refusal import (
    blockers,
    elsewhere,
    gave_up,
    is_lock,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.target import Target, open_target
from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings


@dataclass(frozen=True)
class ExportResult:
    """What was written: `rows` without the header, `bytes` with it."""

    table: str
    path: Path
    columns: tuple[str, ...]
    rows: int
    bytes: int


def bulk_export(table: str, path: str | os.PathLike[str], *, url: str | None = None) -> ExportResult:
    """Write *table*, a view or a materialized view into the CSV file *path*.

    UTF-8 with a header, in the form that `bulk_import` reads back as the same values: NULL is an empty
    field, the empty text `""`, times are UTC. Generated columns are left out. The file is replaced when
    all rows are written, and only its owner may read it: mode 0600, whatever it was. The owner and group of
    a file that is replaced are kept when root exports.

    Locks: ACCESS SHARE on *table*; others read and write it meanwhile.
    Time: no statement_timeout, as in `bulk_import`; an export that is interrupted ends on the server too.

    Raises:
        FileError: the file cannot be written.
        TableError: the table cannot be used.
        LockError: a lock was not free in time; names who had it.
        PrivilegeError: the login may not read the table, or not every row of it.
    """
    settings = resolve_settings(url)
    # With row security off the server refuses to write a part of the rows as if it were all of them.
    with (
        open_target(Path(path)) as target,
        connect(settings, purpose="agentdb bulk export", row_security=False) as connection,
    ):
        return write(connection, table, target, settings)


@contextmanager
def _named_blockers(connection: Connection, settings: Settings, *, doing: str, table: str) -> Iterator[None]:
    """Say who was in the way, when a lock of the block is not free in time."""
    with blockers(connection, settings) as watch:
        try:
            yield
        except psycopg2.Error as error:
            if not is_lock(error):
                raise
            raise gave_up(
                error, doing=doing, table=table, wait_ms=settings.lock_timeout_ms, seen=watch.seen
            ) from error


def write(connection: Connection, name: str, target: Target, settings: Settings) -> ExportResult:
    """Write the table *name* into *target*; see `bulk_export`."""
    with connection.cursor() as cursor:
        table = find_table(cursor, name, kinds=plan.EXPORTABLE)
        plan.refuse_other_kinds(table, plan.EXPORTABLE, verb="exported")
        columns = plan.exported_columns(table)
        cursor.execute(SQL["export_session"])
        doing = f"exporting {table.qualified}"
        try:
            with (
                _named_blockers(connection, settings, doing=doing, table=table.qualified),
                _ended_on_error(connection),
            ):
                cursor.copy_expert(_statement("export", table, columns), target)
        except (psycopg2.Error, MigrationError) as error:
            if target.error is not None:
                raise target.error from None
            if isinstance(error, psycopg2.Error):
                raise elsewhere(error, doing=doing) from error
            raise
        rows = cursor.rowcount
    size_bytes = target.finish()
    return ExportResult(
        table.qualified, target.path, tuple(column.name for column in columns), rows, size_bytes
    )


@contextmanager
def _ended_on_error(connection: Connection) -> Iterator[None]:
    """End the statement on the server when the block fails: a rollback would first take all its rows."""
    try:
        yield
    except BaseException:
        with suppress(psycopg2.Error):
            if connection.info.transaction_status == TRANSACTION_STATUS_ACTIVE:
                connection.cancel()
        raise


def _statement(name: str, table: plan.Table, columns: tuple[plan.Column, ...]) -> Composed:
    return Statement(SQL[name]).format(
        table=Identifier(table.schema, table.name),
        columns=Statement(", ").join(Identifier(column.name) for column in columns),
    )
