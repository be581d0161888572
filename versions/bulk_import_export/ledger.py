"""Remember in `ops.import_job` what of a file is loaded, so that the same call goes on behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from spotify_ai_agent_migrations.versions.bulk_import_export.catalogue import SQL
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import Opened
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Table
from spotify_ai_agent_migrations.versions.bulk_import_export.prepare import Prepared
from spotify_ai_agent_migrations.versions.bulk_import_export.rejects import Reject
from spotify_ai_agent_migrations.versions.core.errors import FileError, TableError

_PAGE_ROWS: Final = 500


@dataclass(frozen=True)
class Counts:
    """How many records were read, and what became of them: `loaded` + `rejected` + `skipped` is `read`."""

    read: int = 0
    loaded: int = 0
    rejected: int = 0
    skipped: int = 0

    @property
    def agree(self) -> bool:
        """Whether every record that was read is accounted for."""
        return self.read == self.loaded + self.rejected + self.skipped

    def plus(self, other: Counts) -> Counts:
        """Return both together."""
        return Counts(
            self.read + other.read, self.loaded + other.loaded, self.rejected + other.rejected,
            self.skipped + other.skipped,
        )  # fmt: skip


@dataclass(frozen=True)
class Job:
    """An entry of the ledger: which bytes of the text are loaded already, as [from, to)."""

    id: int
    is_done: bool
    counts: Counts
    done: tuple[tuple[int, int], ...] = ()

    def has(self, prepared: Prepared) -> bool:
        """Tell whether a block is loaded already."""
        start = prepared.block.offset
        return any(low <= start and start + len(prepared.block.data) <= high for low, high in self.done)


def fingerprint(opened: Opened, table: Table, options: Options) -> str:
    """Return what identifies the load of this file, as it is, into *table*.

    Raises:
        FileError: the file can be read but once, and the load has no name of its own.
    """
    if options.job is None and opened.open_again is None:
        raise FileError(
            f'"{opened.name}" can be read but once, so nobody could tell that it is the same the next time',
            hint="name the load: job=…, --job NAME",
        )
    state = (options.job,) if options.job else (opened.name, opened.state())
    head = hashlib.sha256(opened.sample).hexdigest()
    return hashlib.sha256(repr((table.qualified, options.mode, state, head)).encode()).hexdigest()


def may_write(cursor: Cursor) -> bool:
    """Tell whether the ledger is there and this login may write to it."""
    cursor.execute(SQL["may_write_ledger"])
    row = cursor.fetchone()
    return bool(row and row[0])


def require(cursor: Cursor) -> None:
    """Refuse to promise what needs the ledger where it cannot be written.

    Raises:
        TableError: it is not there, or this login may not write to it.
    """
    if not may_write(cursor):
        raise TableError(
            "ops.import_job is not there or may not be written, and without it no load can be resumed",
            hint="alembic upgrade 008, and connect as a member of agent_owner",
        )


def open_job(cursor: Cursor, identity: str, about: Mapping[str, object], *, again: bool) -> Job:
    """Return the entry of the load, made anew unless there is one; *again* makes one though it is done."""
    cursor.execute(SQL["find_job"], {"fingerprint": identity})
    row = cursor.fetchone()
    if row is None or (again and row[1]):
        cursor.execute(SQL["begin_job"], {"fingerprint": identity, **about})
        cursor.execute(SQL["find_job"], {"fingerprint": identity})
        row = cursor.fetchone()
    assert row is not None
    number, is_done, read, loaded, rejected, skipped, lows, highs = row
    ranges = tuple(zip(lows, highs, strict=True))
    return Job(number, is_done, Counts(read, loaded, rejected, skipped), ranges)


def add(cursor: Cursor, job: Job, prepared: Prepared, counts: Counts) -> None:
    """Enter a block, in the transaction that loads it."""
    start = prepared.block.offset
    values = {**vars(counts), "job": job.id, "low": start, "high": start + len(prepared.block.data)}
    cursor.execute(SQL["add_block"], values)


def finish(cursor: Cursor, job: Job, counts: Counts) -> None:
    """Say that the load is done, with its counts."""
    cursor.execute(SQL["finish_job"], {"job": job.id, **vars(counts)})


def keep(cursor: Cursor, job: Job, rejects: Sequence[Reject], plain: frozenset[str]) -> None:
    """Enter rejects; a value only of a column in *plain*, which is known to hold nothing personal."""
    rows = [
        (
            job.id,
            one.line,
            one.offset,
            one.column,
            one.sqlstate,
            one.reason,
            one.value if one.column in plain else None,
        )
        for one in rejects
    ]
    if rows:
        execute_values(cursor, SQL["add_rejects"], rows, page_size=_PAGE_ROWS)
