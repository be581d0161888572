"""Read from the catalogue what there is to document. Changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.docs.plan import refuse_empty, refuse_unknown
from spotify_ai_agent_migrations.versions.docs.schema import (
    Column,
    Constraint,
    Function,
    Index,
    Policy,
    Retention,
    Schema,
    Table,
    Trigger,
    Type,
    View,
)
from spotify_ai_agent_migrations.versions.governance import CLASSES

SQL: Final = queries("spotify_ai_agent_migrations.versions.docs")

_Made = TypeVar("_Made")
_Row = tuple[Any, ...]
# Bits of tgtype: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_trigger.h
_ROW, _BEFORE, _INSTEAD = 1, 2, 64
_EVENTS: Final = {4: "INSERT", 16: "UPDATE", 8: "DELETE", 32: "TRUNCATE"}


def read_schema(connection: Connection, schemas: Sequence[str]) -> Schema:
    """Return what the catalogue says of *schemas*, the same on every server and under all its settings.

    Begins the transaction, which sees one snapshot; extensions, partitions and Alembic's table are left out.
    Locks: ACCESS SHARE on the catalogue and on the tables, whose expressions the server writes out.

    Raises:
        TableError: a schema is not there, or there is no table.
    """
    with connection.cursor() as cursor:
        cursor.execute(SQL["session"])
        refuse_unknown(schemas, [name for (name,) in _rows(cursor, "schemas")])
        relations = sorted(_rows(cursor, "relations", schemas=list(schemas)), key=lambda row: str(row[1]))
        inside = _Inside(cursor, [row[0] for row in relations])
        kept = _retention(cursor)
        found = Schema(
            tuple(_table(row, inside, kept) for row in relations if row[3] not in "vm"),
            tuple(_view(row, inside) for row in relations if row[3] in "vm"),
            _ordered(_function, _rows(cursor, "functions", schemas=list(schemas))),
            _ordered(_type, _rows(cursor, "types", schemas=list(schemas))),
        )
    refuse_empty(found, schemas)
    return found


class _Inside:
    """What belongs to relations, by their oid, in order of the names; columns in their own order."""

    def __init__(self, cursor: Cursor, relations: list[int]) -> None:
        def read(name: str, make: Callable[[_Row], _Made]) -> dict[int, tuple[_Made, ...]]:
            found: defaultdict[int, list[_Row]] = defaultdict(list)
            for relation, *row in _rows(cursor, name, relations=relations):
                found[relation].append(tuple(row))
            if name != "columns":
                for rows in found.values():
                    rows.sort(key=lambda row: str(row[0]))
            return {relation: tuple(map(make, rows)) for relation, rows in found.items()}

        self.columns = read("columns", _column)
        self.constraints = read("constraints", _constraint)
        self.indexes = read("indexes", _index)
        self.triggers = read("triggers", _trigger)
        self.policies = read("policies", _policy)


def _table(row: _Row, inside: _Inside, kept: dict[str, tuple[Retention, ...]]) -> Table:
    oid, key, called, kind, partition_key, row_security, forced, _, _, purpose = row
    return Table(
        key=key,
        called=called,
        foreign=kind == "f",
        partition_key=partition_key,
        row_security=row_security,
        forced=forced,
        purpose=purpose,
        columns=inside.columns.get(oid, ()),
        constraints=inside.constraints.get(oid, ()),
        indexes=inside.indexes.get(oid, ()),
        triggers=inside.triggers.get(oid, ()),
        policies=inside.policies.get(oid, ()),
        retention=kept.get(key, ()),
    )


def _view(row: _Row, inside: _Inside) -> View:
    oid, key, called, kind, _, _, _, invoker, reads, purpose = row
    return View(
        key=key,
        called=called,
        materialized=kind == "m",
        invoker=invoker,
        reads=tuple(sorted(reads)),
        purpose=purpose,
        columns=inside.columns.get(oid, ()),
        indexes=inside.indexes.get(oid, ()),
    )


def _column(row: _Row) -> Column:
    name, type_, not_null, identity, generated, expression, comment = row
    preset = expression
    if generated:
        preset = f"GENERATED ALWAYS AS ({expression}) {'STORED' if generated == 's' else 'VIRTUAL'}"
    elif identity:
        preset = f"GENERATED {'ALWAYS' if identity == 'a' else 'BY DEFAULT'} AS IDENTITY"
    classification, purpose = _classified(comment)
    return Column(name, type_, not not_null, preset, classification, purpose)


def _classified(comment: str | None) -> tuple[str | None, str | None]:
    """Return the class and the purpose that a column's comment names; without a class, all of it."""
    first, colon, rest = (comment or "").partition(": ")
    if colon and first in CLASSES and rest.strip():
        return first, rest.strip()
    return None, comment


def _constraint(row: _Row) -> Constraint:
    name, kind, sql, columns, target, purpose = row
    return Constraint(name, kind, sql, tuple(columns), target, purpose)


def _index(row: _Row) -> Index:
    name, primary, unique, constraint, sql, columns, purpose = row
    kinds = {"p": "primary key", "u": "unique key", "x": "exclusion"}
    kind = "primary key" if primary else kinds.get(constraint, "unique" if unique else "plain")
    return Index(name, kind, sql, tuple(columns), purpose)


def _trigger(row: _Row) -> Trigger:
    name, bits, columns, enabled, purpose = row
    events = [event for bit, event in _EVENTS.items() if bits & bit]
    of = f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"
    return Trigger(
        name=name,
        timing="BEFORE" if bits & _BEFORE else "INSTEAD OF" if bits & _INSTEAD else "AFTER",
        events=tuple(of if event == "UPDATE" else event for event in events),
        level="ROW" if bits & _ROW else "STATEMENT",
        enabled=enabled,
        purpose=purpose,
    )


def _policy(row: _Row) -> Policy:
    name, command, permissive, roles, using, check, purpose = row
    return Policy(name, command, permissive, tuple(sorted(roles)), using, check, purpose)


def _function(row: _Row) -> Function:
    return Function(*row)


def _type(row: _Row) -> Type:
    key, called, base, not_null, preset, checks, labels, purpose = row
    said = ["NOT NULL"] * not_null + ([f"DEFAULT {preset}"] if preset else []) + list(checks)
    return Type(key, called, base, tuple(said), tuple(labels), purpose)


def _retention(cursor: Cursor) -> dict[str, tuple[Retention, ...]]:
    """Return the rules of `public.retention_policies`, if it is there, by the table they name."""
    found: defaultdict[str, tuple[Retention, ...]] = defaultdict(tuple)
    ((there,),) = _rows(cursor, "has_retention")
    if there:
        for table, *rule in sorted(_rows(cursor, "retention"), key=lambda row: row[:2]):
            found[table if "." in table else f"public.{table}"] += (Retention(*rule),)
    return found


def _ordered(make: Callable[[_Row], _Made], rows: list[_Row]) -> tuple[_Made, ...]:
    return tuple(make(row) for row in sorted(rows, key=lambda row: [str(part) for part in row[:3]]))


def _rows(cursor: Cursor, name: str, **values: object) -> list[_Row]:
    cursor.execute(SQL[name], values)
    return cursor.fetchall()
