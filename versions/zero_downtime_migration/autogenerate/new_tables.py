"""Hold what Alembic writes of a new table to names for its keys, and to no lock on another table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from alembic.operations import ops
from sqlalchemy import (
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
from sqlalchemy.schema import ColumnCollectionConstraint

from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate import keys
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.moves import Move
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted

Place = tuple[str, "str | None"]
_ENDINGS: Final[dict[type[ColumnCollectionConstraint], str]] = {
    PrimaryKeyConstraint: "pkey",
    UniqueConstraint: "key",
    ForeignKeyConstraint: "fkey",
}


def name_keys(op: ops.CreateTableOp) -> None:
    """Give each key that has no name the one that PostgreSQL would."""
    for one in op.columns:
        if isinstance(one, ColumnCollectionConstraint) and type(one) in _ENDINGS and not one.name:
            ending = _ENDINGS[type(one)]
            columns = [] if ending == "pkey" else list(one.columns.keys())
            one.name = fitted(op.table_name, *columns, ending)


def unbound(op: ops.CreateTableOp, made: set[Place], metadata: MetaData) -> Iterator[Move]:
    """Take out of a new table the foreign keys to tables that are there, and yield how they are added.

    With them, whoever writes those would wait until all of the revision is committed.
    """
    table = op.to_table()
    model = metadata.tables.get(key((op.table_name, op.schema)))
    for rule in [one for one in table.constraints if isinstance(one, ForeignKeyConstraint)]:
        target = rule.elements[0].target_fullname.rpartition(".")[0].rpartition(".")
        if (target[2], target[0] or None) in made:
            continue
        move = keys.constraint_added(rule, table, frozenset(table.columns.keys()), model)
        if move is not None:
            op.columns = [one for one in op.columns if not _is_same(one, rule)]
            yield move


def _is_same(one: Any, rule: ForeignKeyConstraint) -> bool:  # noqa: ANN401  (a column or a constraint)
    return (
        isinstance(one, ForeignKeyConstraint)
        and tuple(one.column_keys) == tuple(rule.column_keys)
        and [each.target_fullname for each in one.elements]
        == [each.target_fullname for each in rule.elements]
    )


def key(place: Place) -> str:
    """Return what a table is called among those of a `MetaData`."""
    name, schema = place
    return f"{schema}.{name}" if schema else name
