"""Look up in the server's catalogue what an import or export has to know. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL as Statement  # noqa: N811  (the named statements are SQL here)
from psycopg2.sql import Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export.plan import (
    Column,
    OwnedSequence,
    Table,
    accept_name,
    refused_name,
    unknown_table,
)
from spotify_ai_agent_migrations.versions.core.sql import queries

SQL: Final = queries("spotify_ai_agent_migrations.versions.bulk_import_export")


# Where pages have another size the ranges are shorter or longer, and hold the same rows together.
_PAGE_BYTES: Final = 8192
_LAST_PAGE: Final = 4_294_967_295


@dataclass(frozen=True)
class Constraint:
    """A constraint or unique index: its name, its columns, and the table a foreign key points at."""

    name: str
    columns: tuple[str, ...] = ()
    target: str | None = None


def find_table(cursor: Cursor, name: str, *, kinds: str) -> Table:
    """Return the relation that *name* means by SQL's rules, with its columns.

    Raises:
        TableError: no name, or nobody's; relations of *kinds* are suggested.
    """
    schema, relation = _parts(cursor, name)
    cursor.execute(SQL["find_relation"], {"schema": schema, "name": relation})
    row = cursor.fetchone()
    if row is None:
        cursor.execute(SQL["relations"], {"kinds": list(kinds)})
        raise unknown_table(name, [str(found) for (found,) in cursor.fetchall()])
    oid, found_schema, found_name, qualified, kind, *facts = row
    (
        is_system, row_security, has_before_trigger, key, estimated_rows, size_bytes, may_select, serial_only,
        has_unique,
    ) = facts  # fmt: skip
    table = Table(
        oid=oid,
        schema=found_schema,
        name=found_name,
        qualified=qualified,
        kind=kind,
        is_system=is_system,
        row_security=row_security,
        has_before_trigger=has_before_trigger,
        primary_key=tuple(key),
        estimated_rows=estimated_rows,
        size_bytes=size_bytes,
        may_select=may_select,
        serial_only=serial_only,
        has_unique=has_unique,
    )
    cursor.execute(SQL["columns"], {"relation": oid})
    columns = [Column(*found) for found in cursor.fetchall()]
    classes = {column: data_class for _, _, column, data_class in classes_of(cursor, [oid])}
    return replace(
        table, columns=tuple(replace(column, data_class=classes.get(column.name)) for column in columns)
    )


def classes_of(cursor: Cursor, relations: Sequence[int]) -> list[tuple[int, int, str, str]]:
    """Return of each column that is classified its relation, number and name, and the class of its data.

    One that has no comment of its own is of the class that it has in the table it comes from, of which
    its table is a partition or an heir.
    """
    cursor.execute(SQL["classes"], {"relations": list(relations)})
    return cursor.fetchall()


def _parts(cursor: Cursor, name: str) -> tuple[str | None, str]:
    """Return the schema, if *name* has one, and the name of the relation."""
    try:
        cursor.execute(SQL["parse_name"], {"name": accept_name(name)})
    except psycopg2.errors.InvalidParameterValue as error:
        raise refused_name(name) from error
    parts: list[str] = _row(cursor)[0]
    if len(parts) > 2:
        raise refused_name(name)
    return (parts[0] if len(parts) == 2 else None), parts[-1]


def read_ranges(
    cursor: Cursor, relation: int, *, range_bytes: int, least_bytes: int
) -> tuple[Composable, ...]:
    """Return stretches of a table that together hold all its rows; none if it has fewer than *least_bytes*.

    The last stretch of each partition has no end: rows may have been added since its size was asked.
    """
    cursor.execute(SQL["leaves"], {"relation": relation})
    leaves = cursor.fetchall()
    if sum(size for _, _, size in leaves) < least_bytes:
        return ()
    step = max(1, range_bytes // _PAGE_BYTES)
    found = []
    for schema, name, size in leaves:
        starts = range(0, max(1, size // _PAGE_BYTES), step)
        for start in starts:
            end = start + step if start != starts[-1] else _LAST_PAGE
            found.append(
                Statement(SQL["part_of_leaf"]).format(
                    table=Identifier(schema, name), low=Literal(f"({start},0)"), high=Literal(f"({end},0)")
                )
            )
    return tuple(found)


def greatest_in(cursor: Cursor, table: Table, column: Column) -> int | None:
    """Return the greatest number of a column; None if there is none."""
    is_whole = column.type.endswith("int") or column.type == "integer"
    statement = Statement(SQL["greatest" if is_whole else "greatest_of_any"])
    target = Identifier(table.schema, table.name)
    cursor.execute(statement.format(column=Identifier(column.name), table=target))
    row = cursor.fetchone()
    return None if row is None or row[0] is None else int(row[0])


def read_sequence(cursor: Cursor, name: str) -> OwnedSequence:
    """Return where the sequence *name* stands."""
    cursor.execute(SQL["sequence"], {"name": name})
    schema, relation, may_select, increment, greatest, last, may_step, may_set = _row(cursor)
    if may_select:
        cursor.execute(Statement(SQL["sequence_position"]).format(sequence=Identifier(schema, relation)))
        given, is_called = _row(cursor)
        last = given if is_called else given - increment
    return OwnedSequence(name, increment, greatest, last, may_step, may_set)


def read_constraint(cursor: Cursor, schema: str, table: str, name: str) -> Constraint | None:
    """Return the constraint or unique index *name*, or None; a domain's has no columns.

    What a function raises may call anything a constraint.
    """
    cursor.execute(SQL["constraint_columns"], {"schema": schema, "table": table, "constraint": name})
    columns, target = _row(cursor)
    cursor.execute(SQL["constraint_exists"], {"constraint": name})
    return Constraint(name, tuple(columns or ()), target) if _row(cursor)[0] else None


def _row(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return row
