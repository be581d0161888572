"""Load a file into a table, all of it or nothing, and write a table into a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composed, Identifier

from spotify_ai_agent_migrations.versions.bulk_import_export import plan
from spotify_ai_agent_migrations.versions.bulk_import_export.blame import Load, blame
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import (
    SQL,
    Constraint,
    find_table,
    read_constraint,
    read_sequence,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.feed import Feed
from spotify_ai_agent_migrations.versions.bulk_import_export.header import match_header
from spotify_ai_agent_migrations.versions.bulk_import_export.refusal import (
    blockers,
    elsewhere,
    gave_up,
    is_lock,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.source import Source, open_source
from spotify_ai_agent_migrations.versions.bulk_import_export.target import Target, open_target
from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, TableError
from spotify_ai_agent_migrations.versions.core.locks import lock_key
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings

_BUFFER_BYTES: Final = 256 * 1024


@dataclass(frozen=True)
class ImportResult:
    """What was loaded: `table` by its qualified name, `columns` in the order of the file."""

    table: str
    path: Path
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class ExportResult:
    """What was written: `rows` without the header, `bytes` with it."""

    table: str
    path: Path
    columns: tuple[str, ...]
    rows: int
    bytes: int


def bulk_import(table: str, path: str | os.PathLike[str], *, url: str | None = None) -> ImportResult:
    """Load the CSV file *path* into *table*: every row of it, or none.

    UTF-8 with a header that names columns of the table, in any order and case; lines may end in LF, CRLF
    or CR. An empty field is NULL, `""` the empty text. A time without a zone is read as UTC. Blank lines
    at the end are left out; in a file of one column each is a NULL. Sequences that number a column of the
    file are moved past the values loaded, never back.

    Writes: rows of *table*, and what its triggers write; one transaction.
    Locks: ROW EXCLUSIVE on *table*; others read and write it meanwhile.
    Memory: a few MiB, whatever the size of the file.

    Raises:
        FileError: the file or its header cannot be used, or it changed while it was read.
        TableError: the table cannot be used, or lacks something the load needs.
        RowError: a row cannot be loaded; names its line.
        LockError: a lock was not free in time; names who had it.
        PrivilegeError: the login may not load the table or move a sequence of it.
    """
    settings = resolve_settings(url)
    with (
        open_source(Path(path)) as source,
        connect(settings, purpose="agentdb bulk import") as connection,
    ):
        return load(connection, table, source, settings)


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


def load(connection: Connection, name: str, source: Source, settings: Settings) -> ImportResult:
    """Load *source* into the table *name* and commit; see `bulk_import`."""
    with connection.cursor() as cursor:
        table = find_table(cursor, name, kinds=plan.IMPORTABLE)
        plan.refuse_other_kinds(table, plan.IMPORTABLE, verb="loaded")
        plan.refuse_row_security(table, connection.info.user)
        columns = match_header(source.header, table, str(source.path))
        numbered = {place: column.sequence for place, column in enumerate(columns) if column.sequence}
        for sequence in numbered.values():
            plan.refuse_unmovable(read_sequence(cursor, sequence))
        feed = Feed(source, watched=tuple(numbered))
        loading = Load(table, columns, source)
        doing = f'loading "{source.path}" into {table.qualified}'
        try:
            with _named_blockers(connection, settings, doing=doing, table=table.qualified):
                _copy(cursor, _statement("import", table, columns), feed, loading)
                _move_sequences(cursor, _by_sequence(numbered, feed.greatest))
                connection.commit()
        except psycopg2.Error as error:
            if feed.error is not None:
                raise feed.error from feed.error.__cause__
            raise _refusal(connection, error, loading) from error
    return ImportResult(table.qualified, source.path, tuple(column.name for column in columns), feed.records)


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


def _by_sequence(numbered: Mapping[int, str], greatest: Mapping[int, int]) -> dict[str, int]:
    """Return the greatest value loaded by the sequence, which may number more than one column."""
    found: dict[str, int] = {}
    for place, most in greatest.items():
        name = numbered[place]
        found[name] = max(most, found.get(name, most))
    return found


def _copy(cursor: Cursor, statement: Composed, feed: Feed, loading: Load) -> None:
    """Send every record, and compare the count with the server's own."""
    cursor.execute(SQL["import_session"])
    cursor.copy_expert(statement, feed, size=_BUFFER_BYTES)  # type: ignore[arg-type]  # `read` is all it calls
    loading.source.refuse_changed()
    if cursor.rowcount != feed.records:
        raise TableError(
            f"{loading.table.qualified} took {cursor.rowcount} of the {feed.records} rows of "
            f'"{loading.source.path}"; nothing was loaded',
            hint=f"look for a trigger on {loading.table.qualified} that drops rows",
        )
    cursor.execute(SQL["check_constraints"])


def _refusal(connection: Connection, error: psycopg2.Error, loading: Load) -> MigrationError:
    """Return what the server means by *error* in the file."""
    constraint = None
    # Nothing may wait for us, or time us out, while the file is searched.
    with suppress(psycopg2.Error):
        connection.rollback()
        constraint = _constraint(connection, error)
        connection.rollback()
    return blame(error, loading, constraint)


def _constraint(connection: Connection, error: psycopg2.Error) -> Constraint | None:
    schema, table, name = error.diag.schema_name, error.diag.table_name, error.diag.constraint_name
    if name is None:
        return None
    with connection.cursor() as cursor:
        return read_constraint(cursor, schema or "", table or "", name)


def _move_sequences(cursor: Cursor, greatest: dict[str, int]) -> None:
    """Move each sequence past the greatest value loaded, one import at a time."""
    for name, loaded in sorted(greatest.items()):
        cursor.execute(SQL["lock_sequence"], {"key": lock_key(f"sequence {name}")})
        while move := plan.plan_move(read_sequence(cursor, name), loaded):
            if move.steps:
                cursor.execute(SQL["step_sequence"], {"name": name, "steps": move.steps})
            else:
                cursor.execute(SQL["set_sequence"], {"name": name, "value": move.value})


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
