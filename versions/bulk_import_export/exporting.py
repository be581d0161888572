"""Write a table, a view or a query into a file, or into several."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composable, Composed, Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export.arrow_out import ArrowSink
from spotify_ai_agent_migrations.versions.bulk_import_export.binary import HEADER, TRAILER, without_frame
from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL
from spotify_ai_agent_migrations.versions.bulk_import_export.parts import File, Places, put_in_place
from spotify_ai_agent_migrations.versions.bulk_import_export.progress import Progress, Tell
from spotify_ai_agent_migrations.versions.bulk_import_export.refusal import (
    blockers,
    elsewhere,
    gave_up,
    is_lock,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.selection import (
    Selection,
    filled,
    header_of,
    members_of,
    nothing_hidden,
    ranges_of,
    refuse_several,
    select_query,
    select_table,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.sink import (
    Sink,
    compression_of,
    open_sink,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.split import (
    ByRows,
    Taker,
    named_places,
    numbered_place,
    refuse_many,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.spool import (
    Spool,
    buffered,
    close_untaken,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.wish import (
    COLUMNAR,
    Wish,
    wish_for,
)
from spotify_ai_agent_migrations.versions.core.database import connect, open_connection
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, TableError
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings

_PURPOSE: Final = "agentdb bulk export"
# A stretch of a table takes more or less as much as it has pages; above this it waits on the disk.
_RANGE_MOST_BYTES: Final = 8 << 20


@dataclass(frozen=True)
class ExportResult:
    """What was written: `rows` without the header, `bytes` with it, as they lie in the file.

    `parts` are the files of an export that is split; `sha256` is of the file, where there is one.
    """

    table: str
    path: Path
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str = field(default="", compare=False)
    masked: tuple[str, ...] = ()
    seconds: float = field(default=0.0, compare=False)
    parts: tuple[Path, ...] = ()


def bulk_export(
    table: str, path: str | os.PathLike[str], *, url: str | None = None, query: bool = False,
    columns: Sequence[str] | None = None, where: str | None = None, order_by: Sequence[str] = (),
    parameters: Mapping[str, object] | None = None, format: str | None = None, compression: str | None = None,  # noqa: A002
    personal: str | None = None, for_spreadsheets: bool = False, workers: int | None = None,
    manifest: bool = False, split_rows: int | None = None, split_by: str | None = None,
    progress: Tell | None = None,
) -> ExportResult:  # fmt: skip
    """Write *table*, a view, a materialized view, or with *query* a SELECT, into the file *path*.

    UTF-8 with a header, in the form that `bulk_import` reads back as the same values: NULL is an empty
    field, the empty text `""`, times are UTC. Generated columns are left out. The file is replaced when
    all rows are written, and only its owner may read it: mode 0600, whatever it was. The owner and group of
    a file that is replaced are kept when root exports. "-" is standard output.

    where, query: SQL of the caller's, in a transaction that may only read; `parameters` fill `%(name)s`.
    format, compression: csv, tsv, jsonl, copy, binary, parquet, arrow; none, gzip, zstd, bz2, xz; else as the
        name of the file ends.
    personal: keep, mask or refuse what holds personal data, by the comment on a column or on that which it
        is read from; what is made of values does where a table is read that holds any, but for a count. To
        keep is the default of whoever owns these tables or is a member of agent_privacy, and of nobody else.
        What a function reads is known when it has read it: no file is left of it, but "-" has the rows.
    for_spreadsheets: a text that a spreadsheet would execute gets an apostrophe before it.
    manifest: write the number of rows and the SHA-256 into `<path>.manifest.json`.
    split_rows, split_by: into several files beside one another, of so many rows (out-0001.csv), or one for
        each value of a column (out-FR.csv). The first one comes last, and behind it the manifest, which names
        them all; what an earlier manifest names and they do not replace is removed, and another file that
        would be taken for one of them is refused.

    Locks: ACCESS SHARE on *table*; others read and write it meanwhile. All of it is as of one moment.
    Time: no statement_timeout, as in `bulk_import`; an export that is interrupted ends on the server too.

    Raises:
        FileError: the file cannot be written.
        TableError: the table cannot be used, or holds what the format has no form for.
        LockError: a lock was not free in time; names who had it.
        PrivilegeError: the login may not read the table, not every row of it, or not its personal columns.
    """
    place = os.fspath(path)
    wish = wish_for(place, {
        "columns": columns, "where": where, "order_by": order_by, "parameters": parameters, "format": format,
        "compression": compression or compression_of(place), "personal": personal, "workers": workers,
        "for_spreadsheets": for_spreadsheets, "manifest": manifest, "split_rows": split_rows,
        "split_by": split_by,
    }, is_query=query)  # fmt: skip
    settings = resolve_settings(url)
    with ExitStack() as stack:
        first = None if wish.is_split else _opened(stack, place, wish)
        # With row security off the server refuses to write a part of the rows as if it were all of them.
        connection = stack.enter_context(connect(settings, purpose=_PURPOSE, row_security=False))
        export = _Export(connection, settings, wish, stack, progress or (lambda _: None))
        return export.write(table, place, first, is_query=query)


def _opened(stack: ExitStack, place: str, wish: Wish) -> Sink:
    # A columnar file is compressed within.
    return stack.enter_context(open_sink(place, "none" if wish.format in COLUMNAR else wish.compression))


class _Export:
    """One export on its way."""

    def __init__(
        self, connection: Connection, settings: Settings, wish: Wish, stack: ExitStack, tell: Tell
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._wish = wish
        self._stack = stack
        self._tell = tell
        self._began = time.monotonic()
        self._rows = self._bytes = 0
        self._files: list[File] = []
        self._places = Places(manifest=wish.manifest)

    def write(self, name: str, place: str, sink: Sink | None, *, is_query: bool) -> ExportResult:
        doing = "exporting a query" if is_query else f"exporting {name}"
        with self._connection.cursor() as cursor:
            cursor.execute(SQL["export_session"])
            cursor.execute(SQL["no_time_limit"])
            try:
                select = select_query if is_query else select_table
                found = select(self._connection, name, self._wish)
                doing = f"exporting {found.name}"
                with self._named_blockers(doing, found.name), _ended_on_error(self._connection):
                    self._write(found, place, sink)
            except (psycopg2.Error, MigrationError) as error:
                unwritten = next((one.sink.error for one in self._files if one.sink.error), None)
                if unwritten is not None:
                    raise unwritten from None
                if isinstance(error, psycopg2.Error):
                    raise elsewhere(error, doing=doing) from error
                raise
        return self._finished(found, place)

    def _write(self, found: Selection, place: str, sink: Sink | None) -> None:
        if self._wish.where is not None:
            with self._connection.cursor() as cursor:
                condition = Statement(SQL["any_row"]).format(source=found.source, rest=self._where())
                refuse_several(cursor, condition)
        with nothing_hidden(self._connection, found, self._wish):
            self._write_all(found, place, sink)

    def _write_all(self, found: Selection, place: str, sink: Sink | None) -> None:
        if sink is not None:
            file = self._begin(found, place, sink)
            file.rows = self._copy(found, file.taker, side_by_side=True)
        elif self._wish.split_by is not None:
            self._write_by_value(found, place, self._wish.split_by)
        else:
            split = ByRows(self._wish.split_rows or 1, lambda number: self._next(found, place, number))
            self._copy(found, split)
            for file, rows in zip(self._files, split.counts, strict=True):
                file.rows = rows

    def _write_by_value(self, found: Selection, place: str, column: str) -> None:
        if column not in found.columns or column in found.masked:
            raise TableError(
                f'{found.name} has no column "{column}" to split by',
                hint=f"it has: {', '.join(found.columns)}",
            )
        name = Identifier(column)
        with self._connection.cursor() as cursor:
            statement = Statement(SQL["values_of_column"]).format(
                column=name, source=found.source, rest=self._where()
            )
            cursor.execute(statement)
            values = [value for (value,) in cursor.fetchall()]
        refuse_many(len(values))
        for value, part in zip(values, named_places(place, values), strict=True):
            file = self._begin(found, part)
            only = Statement(SQL["of_value"]).format(column=name, value=Literal(value))
            file.rows = self._copy(found, file.taker, only=only)
            file.seal()

    def _next(self, found: Selection, place: str, number: int) -> Sink | ArrowSink:
        """Begin the file of this number, when the one before is written."""
        if self._files:
            self._files[-1].seal()
        return self._begin(found, numbered_place(place, number)).taker

    def _begin(self, found: Selection, place: str, sink: Sink | None = None) -> File:
        """Open a file and write what stands before its rows."""
        self._places.take(place)
        sink = sink or _opened(self._stack, place, self._wish)
        taker: Sink | ArrowSink = sink
        if self._wish.format in COLUMNAR:
            taker = ArrowSink(sink, found.columns, found.types, self._wish.format, self._wish.compression)
        sink.told = self._told
        sink.write(self._header(found))
        self._files.append(File(place, sink, taker))
        return self._files[-1]

    def _finished(self, found: Selection, place: str) -> ExportResult:
        """Put the files in their places, when all of them are whole."""
        for file in self._files:
            file.seal()
        self._rows = sum(file.rows for file in self._files)
        self._told(0)
        about = {
            "table": found.name, "columns": list(found.columns), "format": self._wish.format,
            "compression": self._wish.compression, "masked": list(found.masked),
        }  # fmt: skip
        sizes = put_in_place(self._files, place, self._wish, about)
        alone = not self._wish.is_split
        return ExportResult(
            found.name, Path(place), found.columns, self._rows, sum(sizes),
            self._files[0].sink.sha256 if alone else "", found.masked, time.monotonic() - self._began,
            () if alone else tuple(Path(file.place) for file in self._files),
        )  # fmt: skip

    def _copy(
        self, found: Selection, taker: Taker, *, only: Composable | None = None, side_by_side: bool = False
    ) -> int:
        with self._connection.cursor() as cursor:
            ranges = ranges_of(cursor, found.relation, self._wish) if side_by_side else ()
            if len(ranges) > 1 and self._workers > 1:
                return self._side_by_side(found, ranges, taker)
            cursor.copy_expert(self._statement(found, self._rest(only)), taker)
            return cursor.rowcount

    @property
    def _workers(self) -> int:
        return self._wish.workers or max(1, min(os.cpu_count() or 1, 4))

    def _where(self, only: Composable | None = None) -> Composable:
        parts: list[Composable] = [] if only is None else [only]
        if self._wish.where is not None:
            with self._connection.cursor() as cursor:
                where = filled(cursor, self._wish.where, self._wish.parameters)
            # On a line of its own: a comment may end it.
            parts.append(Statement("({}\n)").format(Statement(where)))
        return Statement("WHERE ") + Statement(" AND ").join(parts) if parts else Statement("")

    def _rest(self, only: Composable | None) -> Composable:
        if not self._wish.order_by:
            return self._where(only)
        names = Statement(", ").join(map(Identifier, self._wish.order_by))
        return self._where(only) + Statement(" ORDER BY ") + names

    def _statement(self, found: Selection, rest: Composable, source: Composable | None = None) -> Composed:
        values = Statement(", ").join(
            Statement("{} AS {}").format(value, Identifier(name))
            for value, name in zip(found.values, found.columns, strict=True)
        )
        form = "csv" if self._wish.format in COLUMNAR else self._wish.format
        members = members_of(found, self._wish) if form == "jsonl" else None
        return Statement(SQL[f"export_{'members' if members else form}"]).format(
            values=values, source=source or found.source, rest=rest, members=members or Statement("")
        )

    def _header(self, found: Selection) -> bytes:
        return header_of(found, self._wish) if self._wish.is_text else b""

    def _side_by_side(self, found: Selection, ranges: Sequence[Composable], taker: Taker) -> int:
        """Write the ranges of the table in order, each read by whoever is free, all at one snapshot."""
        binary = self._wish.format == "binary"
        with ExitStack() as stack:
            with self._connection.cursor() as cursor:
                cursor.execute(SQL["export_snapshot"])
                row = cursor.fetchone()
            assert row is not None
            readers = [self._reader(stack, str(row[0])) for _ in range(self._workers)]
            free: list[Connection] = list(readers)
            waiting: list[Future[tuple[Spool, int]]] = []
            stack.callback(close_untaken, waiting)
            executor = stack.enter_context(ThreadPoolExecutor(self._workers))
            stack.callback(_cancel, readers)
            taker.write(HEADER if binary else b"")
            # No more than a few ranges lie in memory, however slow the disk is.
            for source in ranges:
                waiting.append(executor.submit(self._range, free, found, source))
                if len(waiting) > self._workers:
                    self._take(waiting.pop(0), taker)
            for future in waiting:
                self._take(future, taker)
            taker.write(TRAILER if binary else b"")
        return self._rows

    def _take(self, future: Future[tuple[Spool, int]], taker: Taker) -> None:
        spool, rows = future.result()
        with closing(spool):
            if self._wish.format == "binary":
                taker.write(without_frame(b"".join(spool.parts())))
            else:
                for part in spool.parts():
                    taker.write(part)
        self._rows += rows

    def _told(self, size_bytes: int) -> None:
        """Say how far it is; how many rows there are, only a stretch that is over knows."""
        self._bytes += size_bytes
        self._tell(Progress(self._rows or None, self._bytes, None, 0, time.monotonic() - self._began))

    def _reader(self, stack: ExitStack, snapshot: str) -> Connection:
        connection = stack.enter_context(
            closing(open_connection(self._settings, purpose=_PURPOSE, row_security=False))
        )
        with connection.cursor() as cursor:
            cursor.execute(SQL["export_session"])
            cursor.execute(Statement(SQL["take_snapshot"]).format(snapshot=Literal(snapshot)))
            cursor.execute(SQL["no_time_limit"])
        return connection

    def _range(self, free: list[Connection], found: Selection, source: Composable) -> tuple[Spool, int]:
        # As many at once as there are connections.
        connection = free.pop()
        try:
            # However large the values are that lie there compressed, or elsewhere.
            spool = Spool(_RANGE_MOST_BYTES)
            rows = buffered(spool)
            with connection.cursor() as cursor:
                cursor.copy_expert(self._statement(found, Statement(""), source), rows)
                rows.flush()
                rows.detach()
                return spool, cursor.rowcount
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
