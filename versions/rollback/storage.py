"""See what a step destroys: tables and columns dropped, files written anew, rows deleted and changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

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
    columns: Mapping[int, str]


class Place(NamedTuple):
    """Where something is in the catalogue, which a rename does not change."""

    table: int
    column: int | None


@dataclass(frozen=True)
class Snapshot:
    """What there is within a transaction, by number: tables, and the rows it touched so far."""

    tables: Mapping[int, Stored]
    touched: Mapping[int, Touched]

    def same(self, table: int, later: Snapshot) -> bool:
        """Tell whether a table is *later* what it is here, with the same rows."""
        stored = self.tables.get(table)
        return stored == later.tables.get(table) and self.touched.get(table) == later.touched.get(table)

    def filled(self, later: Snapshot) -> set[int]:
        """Return the tables that *later* hold other rows than here, with those that they are parts of."""
        other = {
            oid
            for oid, stored in later.tables.items()
            if oid not in self.tables
            or stored.file != self.tables[oid].file
            or self.touched.get(oid) != later.touched.get(oid)
        }
        while wholes := {parent for oid in other if (parent := later.tables[oid].parent)} - other:
            other |= wholes
        return other


def snapshot(raw: Connection) -> Snapshot:
    """Return what is stored now, as the transaction of *raw* sees it."""
    with raw.cursor() as cursor:
        cursor.execute(STATEMENTS["stored"])
        tables = {
            int(oid): Stored(table, file, parent, {int(number): name for number, name in columns.items()})
            for oid, table, file, parent, columns in cursor.fetchall()
        }
        cursor.execute(STATEMENTS["touched_rows"])
        return Snapshot(tables, {int(oid): Touched(*counts) for oid, *counts in cursor.fetchall()})


def gone(before: Snapshot, after: Snapshot) -> dict[Gone, Place]:
    """Return what was destroyed between two moments of a transaction; a new name destroys nothing."""
    touched = touched_since(before, after)
    folded = _folded(before, after)
    lost = {oid for oid in before.tables if oid not in after.tables and oid not in folded}
    moved = {oid for oid, part in folded.items() if part in touched and touched[part].added}
    return {
        **dict(sorted(_tables(before, lost, moved))),
        **dict(sorted(_columns(before, after))),
        **dict(sorted(_rewritten(before, after))),
        **dict(sorted(_rows("deleted", before, touched))),
        **dict(sorted(_rows("updated", before, touched))),
    }


def touched_since(before: Snapshot, after: Snapshot) -> dict[int, Touched]:
    """Return how many rows more were touched, by table, beside Alembic's own."""
    found = {}
    for table, rows in after.touched.items():
        more = Touched(
            *(now - was for now, was in zip(rows, before.touched.get(table, Touched()), strict=True))
        )
        stored = after.tables.get(table)
        if stored is not None and stored.table != _VERSION_TABLE and any(more):
            found[table] = more
    return found


def _folded(before: Snapshot, after: Snapshot) -> dict[int, int]:
    """Return the partitioned tables of which one partition took the place and the name, and that partition.

    Its rows stay where they are. Rows that the step added to it are those of the other partitions.
    """
    return {
        part.parent: oid
        for oid, part in before.tables.items()
        if part.parent is not None
        and part.parent in before.tables
        and part.parent not in after.tables
        and oid in after.tables
        and after.tables[oid].table == before.tables[part.parent].table
    }


def _tables(before: Snapshot, lost: set[int], moved: set[int]) -> Iterator[tuple[Gone, Place]]:
    for oid in lost:
        stored = before.tables[oid]
        # A partition goes with its table, and one whose rows were moved to another loses none.
        if stored.parent not in lost | moved:
            yield Gone("table", stored.table, None), Place(oid, None)


def _columns(before: Snapshot, after: Snapshot) -> Iterator[tuple[Gone, Place]]:
    for oid, was in before.tables.items():
        if oid in after.tables and was.parent is None:
            for number in set(was.columns) - set(after.tables[oid].columns):
                yield Gone("column", was.table, was.columns[number]), Place(oid, number)


def _rewritten(before: Snapshot, after: Snapshot) -> Iterator[tuple[Gone, Place]]:
    """Yield the tables whose file is another: truncated, or with values of another type."""
    for oid, was in before.tables.items():
        if oid in after.tables and after.tables[oid].file != was.file:
            yield Gone("rewritten", was.table, None), Place(oid, None)


def _rows(
    kind: Literal["deleted", "updated"], before: Snapshot, touched: Mapping[int, Touched]
) -> Iterator[tuple[Gone, Place]]:
    """Yield the tables that lose rows; one that is new had none to lose."""
    for oid, rows in touched.items():
        if oid in before.tables and getattr(rows, kind):
            yield Gone(kind, before.tables[oid].table, None), Place(oid, None)
