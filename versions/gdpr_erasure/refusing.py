"""Try what an erasure leaves behind against types, checks and foreign keys, without touching a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.gdpr_erasure.asking import accepted, asked
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding
from spotify_ai_agent_migrations.versions.gdpr_erasure.fitting import constant
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Column, Edge, Kind, Strategy
from spotify_ai_agent_migrations.versions.gdpr_erasure.reach import Escaped, identifier

_TOLD: Final = frozenset({Strategy.NULL, Strategy.CONSTANT})
_OTHER: Final = "choose another strategy, or another value"


def refused(cursor: Cursor, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield the columns whose NULL or constant the server would refuse."""
    told: dict[str, dict[str, Column]] = {}
    for column in catalogue.columns:
        if column.strategy in _TOLD:
            if _is_one(cursor, column):
                told.setdefault(column.table_name, {})[column.name] = column
            elif column.strategy is Strategy.CONSTANT:
                place = f"{column.table_name}.{column.name}"
                yield Finding("strategy", place, f"is to be a constant that is no {column.type}", _OTHER)
    yield from _by_checks(cursor, told)
    for edge in catalogue.edges:
        if edge.kind is Kind.FOREIGN_KEY and len(edge.from_columns) == 1:
            yield from _by_key(cursor, edge, told.get(edge.from_table, {}))


def _is_one(cursor: Cursor, column: Column) -> bool:
    """Tell whether what is left is a value of the column's type, its domain's checks included."""
    return accepted(cursor, SQL("SELECT {}").format(_cast(column)), (constant(column),))


def _cast(column: Column) -> Composable:
    # The server wrote the name of the type, quoted where it has to be.
    return SQL("CAST(%s AS {})").format(Escaped(SQL(column.type)))


def _by_checks(cursor: Cursor, told: Mapping[str, Mapping[str, Column]]) -> Iterator[Finding]:
    """Yield the checks that what is left breaks, as far as they speak of nothing else."""
    for table, alias, name, expression, columns in asked(cursor, "checks"):
        left = told.get(table, {})
        if not columns or not set(columns) <= left.keys():
            continue
        values = SQL(", ").join(
            [SQL("{} AS {}").format(_cast(left[one]), Escaped(Identifier(one))) for one in columns]
        )
        statement = SQL("SELECT ({check}) IS NOT FALSE FROM (SELECT {values}) AS {alias}").format(
            check=Escaped(SQL(expression)), values=values, alias=Escaped(Identifier(alias))
        )
        if not _holds(cursor, statement, [constant(left[one]) for one in columns]):
            place = f"{table}.{columns[0]}"
            yield Finding("strategy", place, f'is to be what the check "{name}" refuses', _OTHER)


def _holds(cursor: Cursor, statement: Composable, values: Sequence[str | None]) -> bool:
    return accepted(cursor, statement, values) and cursor.fetchone() == (True,)


def _by_key(cursor: Cursor, edge: Edge, left: Mapping[str, Column]) -> Iterator[Finding]:
    """Yield the constant that names no row of the table that it has to name one of."""
    column = left.get(edge.from_columns[0])
    value = constant(column) if column is not None else None
    if value is None:
        return
    statement = SQL("SELECT EXISTS (SELECT FROM {} WHERE {}::text = %s)").format(
        Escaped(identifier(edge.to_table)), Escaped(Identifier(edge.to_columns[0]))
    )
    if not _holds(cursor, statement, [value]):
        place = f"{edge.from_table}.{edge.from_columns[0]}"
        problem = f'is to be a constant that the foreign key "{edge.constraint}" does not find'
        yield Finding("strategy", place, problem, _OTHER)
