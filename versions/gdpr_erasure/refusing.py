"""Try what an erasure leaves behind against types, checks and foreign keys, without touching a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
# A statement may say no more than 1,664 things.
_MOST: Final = 1_000


def refused(cursor: Cursor, catalogue: Catalogue) -> Iterator[Finding]:
    """Yield the columns whose NULL or constant the server would refuse."""
    told: dict[str, dict[str, Column]] = {}
    left = [one for one in catalogue.columns if one.strategy in _TOLD]
    # Mostly all of them are values, which is one statement to ask.
    are_all = len(left) <= _MOST and _are_values(cursor, left)
    for column in left:
        if are_all or _are_values(cursor, (column,)):
            told.setdefault(column.table_name, {})[column.name] = column
        elif column.strategy is Strategy.CONSTANT:
            place = f"{column.table_name}.{column.name}"
            yield Finding("strategy", place, f"is to be a constant that is no {column.type}", _OTHER)
    yield from _by_checks(cursor, told)
    for edge in catalogue.edges:
        if edge.kind is Kind.FOREIGN_KEY and len(edge.from_columns) == 1:
            yield from _by_key(cursor, edge, told.get(edge.from_table, {}))


def _are_values(cursor: Cursor, columns: Sequence[Column]) -> bool:
    """Tell whether what is left is a value of each column's type, its domain's checks included."""
    casts = SQL(", ").join([_cast(column) for column in columns])
    return not columns or accepted(cursor, SQL("SELECT {}").format(casts), [*map(constant, columns)])


def _cast(column: Column) -> Composable:
    # The server wrote the name of the type, quoted where it has to be.
    return SQL("CAST(%s AS {})").format(Escaped(SQL(column.type)))


def _by_checks(cursor: Cursor, told: Mapping[str, Mapping[str, Column]]) -> Iterator[Finding]:
    """Yield the checks that what is left breaks, as far as they speak of nothing else."""
    found = [
        _Check(name, alias, expression, [told[table][one] for one in columns])
        for table, alias, name, expression, columns in asked(cursor, "checks", tables=list(told))
        if columns and set(columns) <= told[table].keys()
    ]
    if not found:
        return
    every = SQL("SELECT {}").format(SQL(" AND ").join([SQL("({})").format(one.holds) for one in found]))
    if len(found) <= _MOST and _holds(cursor, every, [value for one in found for value in one.values]):
        return
    for one in found:
        if not _holds(cursor, one.holds, one.values):
            place = f"{one.left[0].table_name}.{one.left[0].name}"
            yield Finding("strategy", place, f'is to be what the check "{one.name}" refuses', _OTHER)


@dataclass(frozen=True)
class _Check:
    """A check of a table that is called so in its expression, and the columns that it speaks of."""

    name: str
    alias: str
    expression: str
    left: Sequence[Column]

    @property
    def holds(self) -> Composable:
        """Return the query whether it holds of what is left, with the parameters `values`."""
        values = SQL(", ").join(
            [SQL("{} AS {}").format(_cast(one), Escaped(Identifier(one.name))) for one in self.left]
        )
        return SQL("SELECT ({check}) IS NOT FALSE FROM (SELECT {values}) AS {alias}").format(
            check=Escaped(SQL(self.expression)), values=values, alias=Escaped(Identifier(self.alias))
        )

    @property
    def values(self) -> list[str | None]:
        """Return the values that are left, as text."""
        return [*map(constant, self.left)]


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
