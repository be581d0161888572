"""Read which columns hang on a key by foreign keys, and in which order their tables can be changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

WIDE: Final = "bigint"
_NARROW: Final = frozenset({"smallint", "integer"})


@dataclass(frozen=True)
class Family:
    """The columns of a key and of all that refers to it, by table, and whether they are to be widened."""

    columns: Mapping[str, tuple[str, ...]]
    narrow: bool

    def of(self, table: str) -> tuple[str, ...]:
        """Return the columns of a table that are to be widened."""
        return self.columns.get(table, ()) if self.narrow else ()


def family(session: Session, key: Table, column: str) -> Family:
    """Return what hangs on a key; what is wide already is turned all the same as long as the rest is not.

    Raises:
        TableError: the column, or one that refers to it, is no whole number.
    """
    key.column(column)
    columns: dict[str, tuple[str, ...]] = {}
    sorts = set()
    for table, name, sort in session.ask("key_family", oid=key.oid, column=column):
        if sort not in _NARROW | {WIDE}:
            raise TableError(
                f'"{name}" of "{table}" is {sort}, and no whole number',
                hint="change_type gives a column another type",
            )
        columns[table] = (*columns.get(table, ()), name)
        sorts.add(sort)
    return Family(columns, bool(sorts & _NARROW))


def in_order(session: Session, tables: Collection[str]) -> tuple[str, ...]:
    """Return tables so that each comes before those that it refers to.

    Raises:
        TableError: they refer to each other in a circle.
    """
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(tables, ()))
    for referring, referred in session.ask("family_links", tables=list(tables)):
        order.add(referred, referring)
    try:
        return tuple(order.static_order())
    except CycleError as error:
        raise TableError(
            f"these tables refer to each other in a circle: {', '.join(error.args[1])}",
            hint="drop one of the foreign keys first, and add it again afterwards: add_foreign_key",
        ) from error
