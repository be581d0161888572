"""Read the catalogue of a server into frozen values. Changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.distribution.plan import (
    Catalogue,
    Column,
    ForeignKey,
    Key,
    Policy,
    Routine,
    Sequence,
    Table,
    Trigger,
    View,
)

SQL: Final = queries("spotify_ai_agent_migrations.versions.distribution")


def read_catalogue(connection: Connection) -> Catalogue:
    """Return the schema as it is now, by name.

    Begins a transaction that reads only, with an empty search path; the caller ends it.
    """
    with connection.cursor() as cursor:
        cursor.execute(SQL["reading"])
        parts = {part: _by_table(cursor, part, make) for part, make in _PARTS.items()}
        tables = tuple(
            replace(table, **{part: of_table.get(oid, ()) for part, of_table in parts.items()})
            for oid, table in _tables(cursor).items()
        )
        views = tuple(View(name, stored, tuple(read)) for name, stored, read in _rows(cursor, "views"))
        return Catalogue(tables, views, tuple(Routine(*row) for row in _rows(cursor, "routines")))


def _rows(cursor: Cursor, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(SQL[query], {})
    return cursor.fetchall()


def _by_table(
    cursor: Cursor, query: str, make: Callable[[tuple[Any, ...]], object]
) -> dict[int, tuple[object, ...]]:
    """Return what *make* makes of the rows of *query*, by their first column, which it is not given."""
    found: defaultdict[int, list[object]] = defaultdict(list)
    for oid, *row in _rows(cursor, query):
        found[oid].append(make(tuple(row)))
    return {oid: tuple(made) for oid, made in found.items()}


def _tables(cursor: Cursor) -> dict[int, Table]:
    return {oid: Table(*row[:-1], rewrite_rules=tuple(row[-1])) for oid, *row in _rows(cursor, "tables")}


def _column(row: tuple[Any, ...]) -> Column:
    *told, sequence, of_type = row
    return Column(*told, sequence=Sequence(sequence, of_type) if sequence is not None else None)


def _key(row: tuple[Any, ...]) -> Key:
    kind, name, quoted, columns, included, index = row
    return Key(kind, name, quoted, tuple(columns), tuple(included), index)


def _foreign_key(row: tuple[Any, ...]) -> ForeignKey:
    name, quoted, columns, target, target_columns, *told = row
    return ForeignKey(name, quoted, tuple(columns), target, tuple(target_columns), *told)


# The parts of a table: its field, which is also the name of the query, and what makes one of a row.
_PARTS: Final[Mapping[str, Callable[[tuple[Any, ...]], object]]] = MappingProxyType(
    {
        "columns": _column,
        "keys": _key,
        "foreign_keys": _foreign_key,
        "triggers": lambda row: Trigger(*row),
        "policies": lambda row: Policy(*row),
    }
)
