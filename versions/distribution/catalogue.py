"""Read the catalogue of a server into frozen values. Changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

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

Part = TypeVar("Part")


def read_catalogue(connection: Connection) -> Catalogue:
    """Return the schema as it is now, by name.

    Begins a transaction that reads only, with an empty search path; the caller ends it.
    """
    with connection.cursor() as cursor:
        cursor.execute(SQL["reading"])
        return Catalogue(
            tables=_tables(cursor),
            views=tuple(View(name, stored, tuple(read)) for name, stored, read in _rows(cursor, "views")),
            routines=tuple(Routine(*row) for row in _rows(cursor, "routines")),
        )


def _tables(cursor: Cursor) -> tuple[Table, ...]:
    bare = {row[0]: _table(row[1:]) for row in _rows(cursor, "tables")}
    columns = _parts(cursor, "columns", _column)
    keys = _parts(cursor, "keys", _key)
    foreign_keys = _parts(cursor, "foreign_keys", _foreign_key)
    triggers = _parts(cursor, "triggers", lambda row: Trigger(*row))
    policies = _parts(cursor, "policies", lambda row: Policy(*row))
    return tuple(
        replace(
            table,
            columns=columns.get(oid, ()),
            keys=keys.get(oid, ()),
            foreign_keys=foreign_keys.get(oid, ()),
            triggers=triggers.get(oid, ()),
            policies=policies.get(oid, ()),
        )
        for oid, table in bare.items()
    )


def _parts(
    cursor: Cursor, query: str, make: Callable[[tuple[Any, ...]], Part]
) -> Mapping[int, tuple[Part, ...]]:
    """Return what *make* makes of the rows of *query*, by their first column, which it is not given."""
    found: defaultdict[int, list[Part]] = defaultdict(list)
    for row in _rows(cursor, query):
        found[row[0]].append(make(row[1:]))
    return {oid: tuple(made) for oid, made in found.items()}


def _rows(cursor: Cursor, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(SQL[query], {})
    return cursor.fetchall()


def _table(row: tuple[Any, ...]) -> Table:
    return replace(Table(*row[:-1]), rewrite_rules=tuple(row[-1]))


def _column(row: tuple[Any, ...]) -> Column:
    *told, sequence, of_type = row
    return replace(Column(*told), sequence=Sequence(sequence, of_type) if sequence is not None else None)


def _key(row: tuple[Any, ...]) -> Key:
    kind, name, quoted, columns, included, index = row
    return Key(kind, name, quoted, tuple(columns), tuple(included), index)


def _foreign_key(row: tuple[Any, ...]) -> ForeignKey:
    name, quoted, columns, target, target_columns, *told = row
    return ForeignKey(name, quoted, tuple(columns), target, tuple(target_columns), *told)
