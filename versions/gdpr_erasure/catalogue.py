"""Read the catalogue of personal data, and the edges between tables, from a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import (
    Catalogue,
    Column,
    Edge,
    Kind,
    Origin,
    Strategy,
    Table,
)

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure")
_DECLARED: Final = (
    "from_table", "from_columns", "to_table", "to_columns", "kind", "discriminator_column",
    "discriminator_value", "json_path", "own_columns", "note", "compares_text", "element_type",
)  # fmt: skip

# There are hundreds of columns, and a look-up costs less than a call.
_STRATEGIES: Final = {one.value: one for one in Strategy}
_ORIGINS: Final = {one.value: one for one in Origin}


def read_catalogue(cursor: Cursor) -> Catalogue:
    """Return the catalogue as it is, foreign keys included; reads only, in the transaction of *cursor*.

    A partition that was detached and waits to be dropped is a table of its own, with the columns and edges of
    the table it was part of. Locks: ACCESS SHARE on catalogs.
    """
    tables = tuple(Table(*_tupled(row)) for row in _rows(cursor, "tables"))
    columns = tuple(_column(row) for row in _rows(cursor, "columns") if row[2] is not None)
    declared = tuple(_declared(row) for row in _rows(cursor, "edges"))
    edges = _joined((_foreign(row) for row in _rows(cursor, "foreign_keys")), declared)
    return _with_detached(Catalogue(tables, columns, edges))


def _rows(cursor: Cursor, name: str) -> list[tuple[Any, ...]]:
    cursor.execute(_SQL[name])
    return cursor.fetchall()


def _tupled(row: Iterable[Any]) -> Iterator[Any]:
    """Yield the values of *row*, lists as tuples."""
    return (tuple(value) if isinstance(value, list) else value for value in row)


def _column(row: Sequence[Any]) -> Column:
    values = list(row)
    values[6:9] = _STRATEGIES[row[6]], row[7] or {}, _ORIGINS[row[8]]
    values[10] = tuple(row[10])
    return Column(*values)


def _foreign(row: Sequence[Any]) -> Edge:
    from_table, from_columns, to_table, to_columns, name, is_deferrable, on_delete = _tupled(row)
    return Edge(
        from_table,
        from_columns,
        to_table,
        to_columns,
        constraint=name,
        is_deferrable=is_deferrable,
        on_delete=on_delete,
    )


def _declared(row: Sequence[Any]) -> Edge:
    values = dict(zip(_DECLARED, _tupled(row), strict=True))
    kind = Kind(values["kind"])
    # An array and JSON say of what type their values are.
    compares_text = values["compares_text"] and kind in {Kind.COLUMN, Kind.POLYMORPHIC}
    return Edge(**{**values, "kind": kind, "compares_text": compares_text})


def _joined(foreign: Iterable[Edge], declared: Sequence[Edge]) -> tuple[Edge, ...]:
    """Return all edges; one that is declared says what a foreign key of the same columns means."""
    said = {_ends(edge): edge for edge in declared if edge.kind is Kind.COLUMN}
    # A second key of the same columns leads nowhere else.
    keys = {_ends(edge): _meant(edge, said.get(_ends(edge))) for edge in foreign}
    others = (edge for edge in declared if edge.kind is not Kind.COLUMN or _ends(edge) not in keys)
    return (*keys.values(), *others)


def _meant(key: Edge, said: Edge | None) -> Edge:
    return key if said is None else replace(key, own_columns=said.own_columns, note=said.note)


def _ends(edge: Edge) -> tuple[str, frozenset[tuple[str, str]], str]:
    return edge.from_table, frozenset(edge.pairs), edge.to_table


def _with_detached(found: Catalogue) -> Catalogue:
    """Return *found* with what holds for each detached partition: what holds for the table it was part of."""
    detached = tuple(table for table in found.tables if table.root is not None)
    columns = tuple(
        replace(column, table_name=table.name)
        for table in detached
        for column in found.columns_of(table.root or "")
    )
    edges = tuple(
        replace(edge, from_table=table.name)
        for table in detached
        for edge in found.edges
        if edge.from_table == table.root
    )
    return Catalogue(found.tables, (*found.columns, *columns), tuple(dict.fromkeys((*found.edges, *edges))))
