"""Find the tables that would take rows of a person who is erased, since no guard refuses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.gdpr_erasure.asking import asked
from spotify_ai_agent_migrations.versions.gdpr_erasure.finding import Finding
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import Reach
from spotify_ai_agent_migrations.versions.gdpr_erasure.model import Catalogue, Kind, Strategy

# By these a column of the row itself holds the number of the person.
_BY_NUMBER: Final = frozenset({Kind.FOREIGN_KEY, Kind.COLUMN, Kind.ARRAY})


def unguarded(cursor: Cursor, catalogue: Catalogue, reaches: Sequence[Reach]) -> Iterator[Finding]:
    """Yield the tables whose rows name a person by number, are erased with them, and may come back."""
    guarded = {name: set(columns) for name, columns in asked(cursor, "guards")}
    for reach in reaches:
        names = _named_by(reach, {column.name: column.type for column in catalogue.columns_of(reach.name)})
        if not guarded.get(reach.name, set()).issuperset(names) and _is_erased(catalogue, reach.name):
            yield Finding(
                "unguarded",
                reach.name,
                "would take rows of a person who was erased",
                f"{_call(reach.name, names)}, as who owns the table",
            )


def _named_by(reach: Reach, types: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns that say whose a whole row is, those that are what the edge says of them."""
    if reach.name == reach.subject.name:
        return (reach.subject_key,)
    found = (
        way[0].from_columns[0]
        for way in reach.ways
        if len(way) == 1
        and way[0].kind in _BY_NUMBER
        and way[0].own_columns is None
        and way[0].to_columns == (reach.subject_key,)
        and types.get(way[0].from_columns[0], "").endswith("[]") == (way[0].kind is Kind.ARRAY)
        and way[0].from_columns[0] in types
    )
    return tuple(dict.fromkeys(found))


def _is_erased(catalogue: Catalogue, table: str) -> bool:
    """Tell whether anything of the table goes with a person; what is kept as proof goes on."""
    kinds = {"r", "p"}
    return catalogue.table(table).kind in kinds and any(
        column.is_personal and column.people == "users" and column.strategy is not Strategy.KEEP
        for column in catalogue.columns_of(table)
    )


def _call(table: str, columns: Sequence[str]) -> str:
    target, *names = (one.replace("'", "''") for one in (table, *columns))
    listed = ", ".join(f"'{name}'" for name in names)
    return f"SELECT ops.guard_table_v1('{target}', {listed})"
