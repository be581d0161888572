"""Find the tables that would take rows of a person who is erased, since no guard refuses them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    guarded = {name for (name,) in asked(cursor, "guards")}
    for reach in reaches:
        names = _named_by(reach)
        if names and reach.name not in guarded and _is_erased(catalogue, reach.name):
            yield Finding(
                "unguarded",
                reach.name,
                "would take rows of a person who was erased",
                f"{_call(reach.name, names)}, as who owns the table",
            )


def _named_by(reach: Reach) -> tuple[str, ...]:
    """Return the columns that say whose a whole row is."""
    if reach.name == reach.subject.name:
        return (reach.subject_key,)
    found = (
        way[0].from_columns[0]
        for way in reach.ways
        if len(way) == 1
        and way[0].kind in _BY_NUMBER
        and way[0].own_columns is None
        and way[0].to_columns == (reach.subject_key,)
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
