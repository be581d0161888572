"""Write a table, a view or a query into a file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composable, Composed, Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export import plan
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL, find_table, read_ranges
from spotify_ai_agent_migrations.versions.bulk_import_export.progress import Progress, Tell
from spotify_ai_agent_migrations.versions.bulk_import_export.refusal import (
    blockers,
    elsewhere,
    gave_up,
    is_lock,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.sink import (
    Sink,
    compression_of,
    open_sink,
    write_manifest,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.wish import (
    Wish,
    format_of,
    refuse_contradictions,
)
from spotify_ai_agent_migrations.versions.core.database import connect, open_connection
from spotify_ai_agent_migrations.versions.core.errors import (
    MigrationError,
    PrivilegeError,
    TableError,
)
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings

_PURPOSE: Final = "agentdb bulk export"
_SERIAL_BELOW_BYTES: Final = 32 << 20
_RANGE_BYTES: Final = 8 << 20
_TEXTS: Final = ("text", "character", "name", "json", "citext")


@dataclass(frozen=True)
class ExportResult:
    """What was written: `rows` without the header, `bytes` with it, as they lie in the file."""

    table: str
    path: Path
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str = field(default="", compare=False)
    masked: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class _Plan:
    """What is written: from what, which columns, as which expressions, and where its blocks lie."""

    name: str
    source: Composable
    columns: tuple[str, ...]
    values: tuple[Composable, ...]
    masked: tuple[str, ...] = ()
    ranges: tuple[Composable, ...] = ()


def bulk_export(
    table: str, path: str | os.PathLike[str], *, url: str | None = None, query: bool = False,
    columns: Sequence[str] | None = None, where: str | None = None, order_by: Sequence[str] = (),
    parameters: Mapping[str, object] | None = None, format: str | None = None, compression: str | None = None,  # noqa: A002
    personal: str | None = None, for_spreadsheets: bool = False, workers: int | None = None,
    manifest: bool = False, progress: Tell | None = None,
) -> ExportResult:  # fmt: skip
    """Write *table*, a view, a materialized view, or with *query* a SELECT, into the file *path*.

    UTF-8 with a header, in the form that `bulk_import` reads back as the same values: NULL is an empty
    field, the empty text `""`, times are UTC. Generated columns are left out. The file is replaced when
    all rows are written, and only its owner may read it: mode 0600, whatever it was. The owner and group of
    a file that is replaced are kept when root exports. "-" is standard output.

    where, query: SQL of the caller's, in a transaction that may only read; `parameters` fill `%(name)s`.
    format, compression: csv, tsv, jsonl, copy; none, gzip, zstd, bz2, xz; else as the name of the file ends.
    personal: keep, mask or refuse columns that are classified as personal; to keep is the default of whoever
        owns the table or is a member of agent_privacy, and of nobody else.
    for_spreadsheets: a text that a spreadsheet would execute gets an apostrophe before it.
    manifest: write the number of rows and the SHA-256 into `<path>.manifest.json`.

    Locks: ACCESS SHARE on *table*; others read and write it meanwhile. All of it is as of one moment.
    Time: no statement_timeout, as in `bulk_import`; an export that is interrupted ends on the server too.

    Raises:
        FileError: the file cannot be written.
        TableError: the table cannot be used.
        LockError: a lock was not free in time; names who had it.
        PrivilegeError: the login may not read the table, not every row of it, or not its personal columns.
    """
    place = os.fspath(path)
    wish = Wish(
        None if columns is None else tuple(columns), where, tuple(order_by), dict(parameters or {}),
        format or format_of(place), compression or compression_of(place), personal, for_spreadsheets,
        workers, manifest,
    )  # fmt: skip
    refuse_contradictions(wish)
    settings = resolve_settings(url)
    # With row security off the server refuses to write a part of the rows as if it were all of them.
    with (
        open_sink(place, wish.compression) as sink,
        connect(settings, purpose=_PURPOSE, row_security=False) as connection,
    ):
        export = _Export(connection, settings, sink, wish, progress or (lambda _: None))
        return export.write(table, place, is_query=query)


class _Export:
    """One export on its way into one file."""

    def __init__(
        self, connection: Connection, settings: Settings, sink: Sink, wish: Wish, tell: Tell
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._sink = sink
        self._wish = wish
        self._tell = tell
        self._began = time.monotonic()
        self._rows = self._bytes = 0

    def write(self, name: str, place: str, *, is_query: bool) -> ExportResult:
        with self._connection.cursor() as cursor:
            cursor.execute(SQL["export_session"])
            doing = "exporting a query" if is_query else f"exporting {name}"
            try:
                found = self._plan_query(name) if is_query else self._plan_table(name)
                doing = f"exporting {found.name}"
                with self._named_blockers(doing, found.name), _ended_on_error(self._connection):
                    rows = self._copy(found)
            except (psycopg2.Error, MigrationError) as error:
                if self._sink.error is not None:
                    raise self._sink.error from None
                if isinstance(error, psycopg2.Error):
                    raise elsewhere(error, doing=doing) from error
                raise
        size_bytes = self._sink.finish()
        result = ExportResult(
            found.name, Path(place), found.columns, rows, size_bytes, self._sink.sha256, found.masked,
            time.monotonic() - self._began,
        )  # fmt: skip
        if self._wish.manifest:
            write_manifest(place, {
                "table": result.table, "columns": list(result.columns), "rows": rows, "bytes": size_bytes,
                "sha256": result.sha256, "format": self._wish.format, "compression": self._wish.compression,
                "masked": list(result.masked),
            })  # fmt: skip
        return result

    def _plan_table(self, name: str) -> _Plan:
        with self._connection.cursor() as cursor:
            table = find_table(cursor, name, kinds=plan.EXPORTABLE)
            plan.refuse_other_kinds(table, plan.EXPORTABLE, verb="exported")
            columns = _chosen(table, self._wish.columns)
            masked = self._masked(table, columns)
            source = Identifier(table.schema, table.name)
            ranges: tuple[Composable, ...] = ()
            if self._wish.where is None and not self._wish.order_by and table.kind in "rp":
                ranges = read_ranges(
                    cursor, table.oid, range_bytes=_RANGE_BYTES, least_bytes=_SERIAL_BELOW_BYTES
                )
        return _Plan(
            table.qualified, source, tuple(column.name for column in columns),
            tuple(self._value(column, masked) for column in columns), masked, ranges,
        )  # fmt: skip

    def _plan_query(self, text: str) -> _Plan:
        """Ask the server for the columns of the query, which is executed as it is and may only read."""
        with self._connection.cursor() as cursor:
            body = cursor.mogrify(text, self._wish.parameters or None).decode().rstrip().rstrip(";")
            source = Statement("({}) AS exported").format(Statement(body))
            cursor.execute(Statement(SQL["columns_of_query"]).format(source=source))
            names = tuple(str(column.name) for column in cursor.description or ())
            kinds = [column.type_code for column in cursor.description or ()]
        columns = [
            plan.Column(name, "text" if kind in {25, 1043, 1042} else "")
            for name, kind in zip(names, kinds, strict=True)
        ]
        return _Plan("the query", source, names, tuple(self._value(column, ()) for column in columns))

    def _masked(self, table: plan.Table, columns: Sequence[plan.Column]) -> tuple[str, ...]:
        personal = [column for column in columns if column.is_personal]
        wish = self._wish.personal
        if not personal or (wish in {None, "keep"} and self._may_keep(table)):
            return ()
        if wish == "mask":
            return tuple(column.name for column in personal)
        raise PrivilegeError(
            f"{table.qualified} holds personal data in {plan.names_of(personal)}, "
            "and this export may not hold it",
            hint='leave the columns out, mask them (personal="mask", --personal mask), '
            "or connect as a member of agent_privacy",
        )

    def _may_keep(self, table: plan.Table) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(SQL["may_keep_personal"], {"relation": table.oid})
            row = cursor.fetchone()
        return bool(row and row[0])

    def _value(self, column: plan.Column, masked: Sequence[str]) -> Composable:
        name = Identifier(column.name)
        if column.name in masked:
            return Statement(SQL["masked"]).format(column=name)
        if self._wish.for_spreadsheets and column.type.startswith(_TEXTS):
            return Statement(SQL["no_formula"]).format(column=name)
        return name

    def _copy(self, found: _Plan) -> int:
        header = self._header(found)
        self._sink.write(header)
        if len(found.ranges) > 1 and self._workers > 1:
            return self._side_by_side(found)
        with self._connection.cursor() as cursor:
            cursor.copy_expert(self._statement(found, self._rest()), self._sink)
            return cursor.rowcount

    @property
    def _workers(self) -> int:
        return self._wish.workers or max(1, min(os.cpu_count() or 1, 4))

    def _rest(self) -> Composable:
        parts: list[Composable] = []
        if self._wish.where is not None:
            with self._connection.cursor() as cursor:
                where = cursor.mogrify(self._wish.where, self._wish.parameters or None).decode()
            parts.append(Statement("WHERE ({})").format(Statement(where)))
        if self._wish.order_by:
            names = Statement(", ").join(map(Identifier, self._wish.order_by))
            parts.append(Statement("ORDER BY {}").format(names))
        return Statement(" ").join(parts)

    def _statement(self, found: _Plan, rest: Composable, source: Composable | None = None) -> Composed:
        values = Statement(", ").join(
            Statement("{} AS {}").format(value, Identifier(name))
            for value, name in zip(found.values, found.columns, strict=True)
        )
        return Statement(SQL[f"export_{self._wish.format}"]).format(
            values=values, source=source or found.source, rest=rest
        )

    def _header(self, found: _Plan) -> bytes:
        if self._wish.format not in {"csv", "tsv"}:
            return b""
        delimiter = "\t" if self._wish.format == "tsv" else ","
        return (delimiter.join(_quoted(name, delimiter) for name in found.columns) + "\n").encode()

    def _side_by_side(self, found: _Plan) -> int:
        """Write the ranges of the table in order, each read by whoever is free, all at one snapshot."""
        with ExitStack() as stack:
            with self._connection.cursor() as cursor:
                cursor.execute(SQL["export_snapshot"])
                row = cursor.fetchone()
            assert row is not None
            readers = [self._reader(stack, str(row[0])) for _ in range(self._workers)]
            free: list[Connection] = list(readers)
            executor = stack.enter_context(ThreadPoolExecutor(self._workers))
            stack.callback(_cancel, readers)
            waiting: list[Future[tuple[bytes, int]]] = []
            ranges, rows = iter(found.ranges), 0
            # No more than a few ranges lie in memory, however slow the disk is.
            for source in ranges:
                waiting.append(executor.submit(self._range, free, found, source))
                if len(waiting) > self._workers:
                    rows += self._take(waiting.pop(0))
            for future in waiting:
                rows += self._take(future)
        return rows

    def _take(self, future: Future[tuple[bytes, int]]) -> int:
        data, rows = future.result()
        self._sink.write(data)
        self._rows += rows
        self._bytes += len(data)
        self._tell(Progress(self._rows, self._bytes, None, 0, time.monotonic() - self._began))
        return rows

    def _reader(self, stack: ExitStack, snapshot: str) -> Connection:
        connection = stack.enter_context(
            closing(open_connection(self._settings, purpose=_PURPOSE, row_security=False))
        )
        with connection.cursor() as cursor:
            cursor.execute(SQL["export_session"])
            cursor.execute(Statement(SQL["take_snapshot"]).format(snapshot=Literal(snapshot)))
        return connection

    def _range(self, free: list[Connection], found: _Plan, source: Composable) -> tuple[bytes, int]:
        # As many at once as there are connections.
        connection = free.pop()
        try:
            data = BytesIO()
            with connection.cursor() as cursor:
                cursor.copy_expert(self._statement(found, Statement(""), source), data)
                return data.getvalue(), cursor.rowcount
        finally:
            free.append(connection)

    @contextmanager
    def _named_blockers(self, doing: str, table: str) -> Iterator[None]:
        """Say who was in the way, when a lock of the block is not free in time."""
        with blockers(self._connection, self._settings) as watch:
            try:
                yield
            except psycopg2.Error as error:
                if not is_lock(error):
                    raise
                wait_ms = self._settings.lock_timeout_ms
                raise gave_up(error, doing=doing, table=table, wait_ms=wait_ms, seen=watch.seen) from error


def _chosen(table: plan.Table, names: Sequence[str] | None) -> tuple[plan.Column, ...]:
    """Return the columns to write: those named, or all that an import could fill."""
    if names is None:
        return plan.exported_columns(table)
    by_name = {column.name: column for column in table.columns}
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        raise TableError(
            f"{table.qualified} has no column {plan.listed(map(plan.quoted, unknown)) or 'without a name'}",
            hint=f"it has: {plan.names_of(table.columns)}",
        )
    return tuple(by_name[name] for name in names)


def _quoted(name: str, delimiter: str) -> str:
    special = (
        any(letter in name for letter in (delimiter, '"', "\n", "\r")) or not name.strip() or name == "\\."
    )
    return '"' + name.replace('"', '""') + '"' if special else name


def _cancel(connections: Sequence[Connection]) -> None:
    """End what is still being read, when the export has failed."""
    for connection in connections:
        with suppress(psycopg2.Error):
            if connection.info.transaction_status == TRANSACTION_STATUS_ACTIVE:
                connection.cancel()


@contextmanager
def _ended_on_error(connection: Connection) -> Iterator[None]:
    """End the statement on the server when the block fails: a rollback would first take all its rows."""
    try:
        yield
    except BaseException:
        _cancel([connection])
        raise
