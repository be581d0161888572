"""See what a step destroys: tables and columns dropped, files written anew, rows deleted and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.rollback.plan import Kind
from spotify_ai_agent_migrations.versions.rollback.tables import STATEMENTS

_VERSION_TABLE = "public.alembic_version"


class Gone(NamedTuple):
    """Something that a step destroys, under the name that it had before."""

    kind: Kind
    table: str
    column: str | None


class Touched(NamedTuple):
    """How many rows were added, deleted and changed."""

    added: int = 0
    deleted: int = 0
    updated: int = 0


@dataclass(frozen=True)
class Stored:
    """A table: the file its rows are in, what it is a part of, and its columns by their numbers."""

    table: str
    file: int
    parent: int | None
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Snapshot:
    """What there is within a transaction: tables by number, and the rows it touched so far."""

    tables: Mapping[int, Stored]
    touched: Mapping[str, Touched]


def snapshot(raw: Connection) -> Snapshot:
    """Return what is stored now, as the transaction of *raw* sees it."""
    with raw.cursor() as cursor:
        cursor.execute(STATEMENTS["stored"])
        tables = {int(oid): Stored(*stored) for oid, *stored in cursor.fetchall()}
        cursor.execute(STATEMENTS["touched_rows"])
        return Snapshot(tables, {str(name): Touched(*counts) for name, *counts in cursor.fetchall()})


def gone(before: Snapshot, after: Snapshot) -> tuple[Gone, ...]:
    """Return what was destroyed between two moments of a transaction; a new name destroys nothing."""
    lost = {oid for oid in before.tables if oid not in after.tables}
    touched = touched_since(before, after)
    folded = _folded(before, after)
    lost -= folded.keys()
    moved = {oid for oid, table in folded.items() if table in touched and touched[table].added}
    dropped = [
        Gone("table", before.tables[oid].table, None)
        for oid in lost
        if not _goes_with(before, oid, lost) and before.tables[oid].parent not in moved
    ]
    return (
        *sorted(dropped),
        *sorted(_columns(before, after)),
        *sorted(_rewritten(before, after)),
        *(Gone("deleted", table, None) for table, rows in touched.items() if rows.deleted),
        *(Gone("updated", table, None) for table, rows in touched.items() if rows.updated),
    )


def touched_since(before: Snapshot, after: Snapshot) -> dict[str, Touched]:
    """Return how many rows more were touched, by table, beside Alembic's own."""
    found = {}
    for table, rows in sorted(after.touched.items()):
        more = Touched(
            *(now - was for now, was in zip(rows, before.touched.get(table, Touched()), strict=True))
        )
        if table != _VERSION_TABLE and any(more):
            found[table] = more
    return found


def _folded(before: Snapshot, after: Snapshot) -> dict[int, str]:
    """Return the partitioned tables of which one partition took the place, and their name.

    Its rows stay where they are. Rows that the step added to it are those of the other partitions.
    """
    found = {}
    for oid, part in before.tables.items():
        whole, stays = before.tables.get(part.parent or 0), after.tables.get(oid)
        gone_by = part.parent is not None and part.parent not in after.tables
        if whole is not None and stays is not None and gone_by and stays.table == whole.table:
            found[part.parent or 0] = stays.table
    return found


def _goes_with(before: Snapshot, oid: int, lost: set[int]) -> bool:
    """Tell whether a partition went with its table."""
    return before.tables[oid].parent in lost


def _columns(before: Snapshot, after: Snapshot) -> Iterator[Gone]:
    for oid, was in before.tables.items():
        if oid in after.tables and was.parent is None:
            lost = set(was.columns) - set(after.tables[oid].columns)
            yield from (Gone("column", was.table, was.columns[number]) for number in lost)


def _rewritten(before: Snapshot, after: Snapshot) -> Iterator[Gone]:
    """Yield the tables whose file is another: truncated, or with values of another type."""
    for oid, was in before.tables.items():
        if oid in after.tables and after.tables[oid].file != was.file:
            yield Gone("rewritten", was.table, None)
