"""What an index or a constraint that is new, gone or another comes to."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any, Final

from alembic.operations.ops import CreateIndexOp, DropConstraintOp, DropIndexOp
from sqlalchemy import (
    CheckConstraint,
    Constraint,
    ForeignKeyConstraint,
    Index,
    Table,
    UniqueConstraint,
)

from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.columns import STRONG
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.moves import (
    Half,
    Move,
    Rank,
    call,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.reading import (
    index_fields,
    table_name,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted

# Writers wait for it, readers do not.
_BOTH: Final = "SHARE ROW EXCLUSIVE on {}"


def index_added(op: CreateIndexOp, new: Set[str]) -> Move:
    """Return how an index is built; a unique one of columns that are not *new* binds old code."""
    index = op.to_index()
    half = Half.CONTRACT if index.unique and not set(index.columns.keys()) <= new else Half.EXPAND
    there, back = _indexed("create_index", index), _unindexed(index)
    return Move(half, Rank.INDEX, (there,), (back,), reads=(_table(index.table),))


def index_dropped(op: DropIndexOp) -> Move:
    """Return how an index goes; a unique one first, for new code may write what it forbids."""
    index = op.to_index()
    half, rank = (Half.EXPAND, Rank.LOOSEN) if index.unique else (Half.CONTRACT, Rank.DROP_INDEX)
    there, back = _unindexed(index), _indexed("create_index", index)
    return Move(half, rank, (there,), (back,), reads=(_table(index.table),))


def index_replaced(gone: DropIndexOp, made: CreateIndexOp) -> Move:
    """Return how an index of the same name gets another definition: the new one is there first."""
    old, new = gone.to_index(), made.to_index()
    half = Half.CONTRACT if new.unique else Half.EXPAND
    there, back = _indexed("replace_index", new), _indexed("replace_index", old)
    return Move(half, Rank.INDEX, (there,), (back,), reads=(_table(new.table),))


def _indexed(operation: str, index: Index) -> str:
    fields = index_fields(index)
    if fields["using"] == "btree":
        del fields["using"]
    columns = fields.pop("columns")
    return call(
        operation, _table(index.table), *([columns] if columns else []), name=str(index.name), **fields
    )


def _unindexed(index: Index) -> str:
    return call("drop_index", _table(index.table), str(index.name))


def constraint_added(rule: Constraint, table: Table, new: Set[str], model: Table | None) -> Move | None:
    """Return how a constraint is added; one of columns that are not *new* binds old code. None: not known."""
    name, where = str(rule.name or ""), _table(table)
    if isinstance(rule, ForeignKeyConstraint):
        there, name, strong, rank = _referring(rule, table, model)
    elif isinstance(rule, UniqueConstraint):
        columns = tuple(rule.columns.keys())
        nulls = rule.dialect_options["postgresql"]["nulls_not_distinct"] is True
        there = call(
            "add_unique", where, columns, name=name, nulls_not_distinct=nulls, deferrable=_deferrable(rule)
        )
        name = name or fitted(table.name, *columns, "key")
        strong, rank = (STRONG.format(where),), Rank.UNIQUE
    elif isinstance(rule, CheckConstraint) and name:
        there, strong, rank = (
            call("add_check", where, str(rule.sqltext), name),
            (STRONG.format(where),),
            Rank.UNIQUE,
        )
    else:
        return None
    bound = {column.name for column in getattr(rule, "columns", ())}
    half = Half.EXPAND if bound and bound <= new else Half.CONTRACT
    return Move(half, rank, (there,), (call("drop_constraint", where, name),), strong=strong, reads=(where,))


def constraint_dropped(op: DropConstraintOp, model: Table | None) -> Iterator[Move]:
    """Yield how a constraint goes; new code may write what it forbids."""
    rule = op.to_constraint()
    table = rule.table
    back = constraint_added(rule, table, frozenset(), model)
    if back is None or not op.constraint_name:
        return
    there = call("drop_constraint", table_name(op.table_name, op.schema), str(op.constraint_name))
    yield Move(Half.EXPAND, Rank.LOOSEN, (there,), back.there, strong=_strong_of(rule, op))


def _strong_of(rule: Constraint, op: DropConstraintOp) -> tuple[str, ...]:
    others = (
        {table_name(*target(one)) for one in rule.elements} if isinstance(rule, ForeignKeyConstraint) else ()
    )
    return tuple(STRONG.format(one) for one in (*sorted(others), table_name(op.table_name, op.schema)))


def _referring(
    rule: ForeignKeyConstraint, table: Table, model: Table | None
) -> tuple[str, str, tuple[str, ...], Rank]:
    columns = tuple(rule.column_keys)
    name = str(rule.name or fitted(table.name, *columns, "fkey"))
    other = table_name(*target(rule.elements[0]))
    targets = tuple(element.target_fullname.rpartition(".")[2] for element in rule.elements)
    there = call(
        "add_foreign_key",
        _table(table),
        columns,
        other,
        targets,
        name=name,
        on_delete=(rule.ondelete or "").upper(),
        on_update=(rule.onupdate or "").upper(),
        full=(rule.match or "").upper() == "FULL",
        deferrable=_deferrable(rule),
        without_index=model is not None and not _is_indexed(model, columns),
    )
    strong = tuple(_BOTH.format(one) for one in dict.fromkeys((_table(table), other)))
    return there, name, strong, Rank.FOREIGN_KEY


def target(element: Any) -> tuple[str, str | None]:  # noqa: ANN401  (a foreign key, of one column)
    """Return the name and the schema of the table that a foreign key refers to."""
    schema, _, name = element.target_fullname.rpartition(".")[0].rpartition(".")
    return name, schema or None


def _is_indexed(model: Table, columns: tuple[str, ...]) -> bool:
    """Tell whether the model has an index that begins with these columns, in whatever order."""
    keys = [
        *(
            [one.name for one in index.columns]
            for index in model.indexes
            if index.dialect_options["postgresql"]["where"] is None
        ),
        *(
            [one.name for one in rule.columns]
            for rule in model.constraints
            if isinstance(rule, UniqueConstraint)
        ),
        [one.name for one in model.primary_key.columns],
    ]
    return any(set(key[: len(columns)]) == set(columns) for key in keys)


def _deferrable(rule: Constraint) -> str:
    if not rule.deferrable:
        return ""
    return "deferred" if (rule.initially or "").upper() == "DEFERRED" else "deferrable"


def _table(table: Table | None) -> str:
    assert table is not None
    return table_name(table.name, table.schema)
