"""Read Alembic's differences: what makes new tables stays as it is, what touches old ones becomes moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

from alembic.operations import ops
from sqlalchemy import ForeignKeyConstraint, MetaData, Table

from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate import (
    columns,
    keys,
    new_tables,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.moves import (
    Half,
    Move,
    Rank,
    call,
    written,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.reading import (
    table_name,
    type_text,
)


@dataclass(frozen=True)
class Gone:
    """A table that is no longer in the models: how it goes, and what makes it again."""

    move: Move
    made_again: tuple[ops.MigrateOperation, ...]


@dataclass(frozen=True)
class Differences:
    """What differs: Alembic's own operations for new tables, moves for tables that are there, tables gone.

    `unknown` tells of operations on tables that are there which stay as Alembic has them.
    """

    plain: tuple[ops.MigrateOperation, ...]
    moves: tuple[Move, ...]
    gone: tuple[Gone, ...]
    unknown: bool = False


def read(upgrade: ops.UpgradeOps, metadata: MetaData, judge: columns.TypeJudge) -> Differences:
    """Return what the operations of an upgrade come to."""
    made = {(op.table_name, op.schema) for op in upgrade.ops if isinstance(op, ops.CreateTableOp)}
    dropped = {(op.table_name, op.schema) for op in upgrade.ops if isinstance(op, ops.DropTableOp)}
    plain: list[ops.MigrateOperation] = []
    moves: list[Move] = []
    gone: list[Gone] = []
    unknown = False
    for op in upgrade.ops:
        place = (getattr(op, "table_name", ""), getattr(op, "schema", None))
        if isinstance(op, ops.CreateTableOp):
            new_tables.name_keys(op)
            moves += new_tables.unbound(op, made, metadata)
            plain.append(op)
        elif isinstance(op, ops.DropTableOp):
            gone.append(_gone(op, upgrade.ops, dropped))
            moves += _counted(op, dropped)
        elif place in made:
            plain.append(op)
        elif place not in dropped:
            within = op.ops if isinstance(op, ops.ModifyTableOps) else [op]
            found, left = _of_table(within, metadata.tables.get(new_tables.key(place)), judge)
            moves += found
            plain += left
            unknown |= bool(left)
    return Differences(tuple(plain), tuple(moves), tuple(gone), unknown=unknown)


def _gone(op: ops.DropTableOp, every: Sequence[ops.MigrateOperation], dropped: Set[new_tables.Place]) -> Gone:
    table = table_name(op.table_name, op.schema)
    place = (op.table_name, op.schema)
    around = [
        one
        for each in every
        if isinstance(each, ops.ModifyTableOps) and (each.table_name, each.schema) == place
        for one in each.ops
    ]
    move = Move(
        Half.REMOVE,
        Rank.DROP_TABLE,
        (call("drop_table", table, part="contract"),),
        (),
        strong=(columns.STRONG.format(table),),
        lost=f"the rows of {table}",
        lost_back=f"{table} comes back without its rows",
    )
    made = op.reverse()
    # As it was when it was dropped: by then those were gone.
    made.columns = [one for one in made.columns if not _is_between(one, op, dropped)]
    return Gone(move, (made, *(one.reverse() for one in reversed(around))))


def _is_between(rule: object, op: ops.DropTableOp, dropped: Set[new_tables.Place]) -> bool:
    """Tell whether something of a table that goes is a foreign key to another one that goes with it."""
    if not isinstance(rule, ForeignKeyConstraint) or not rule.name:
        return False
    place = keys.target(rule.elements[0])
    return place in dropped and place != (op.table_name, op.schema)


def _counted(op: ops.DropTableOp, dropped: Set[new_tables.Place]) -> Iterator[Move]:
    """Yield from when on the uses of a table that goes are counted, unbound from others that go with it."""
    table = table_name(op.table_name, op.schema)
    there, back = (call("drop_table", table, part=part) for part in ("expand", "undo"))
    gone = op.to_table()
    for rule in gone.foreign_key_constraints:
        if _is_between(rule, op, dropped):
            yield from keys.constraint_dropped(ops.DropConstraintOp.from_constraint(rule), gone)
    yield Move(Half.EXPAND, Rank.DROP_TABLE, (there,), (back,))


def _of_table(
    every: Sequence[ops.MigrateOperation], model: Table | None, judge: columns.TypeJudge
) -> tuple[list[Move], list[ops.MigrateOperation]]:
    """Return the moves of one table, and the operations that nothing is known of."""
    new = frozenset(op.column.name for op in every if isinstance(op, ops.AddColumnOp))
    replaced = {
        str(gone.index_name): (gone, made)
        for gone in every
        if isinstance(gone, ops.DropIndexOp)
        for made in every
        if isinstance(made, ops.CreateIndexOp) and made.index_name == gone.index_name
    }
    moves: list[Move] = [keys.index_replaced(*pair) for pair in replaced.values()]
    left: list[ops.MigrateOperation] = []
    rules: dict[str, list[Move]] = {}
    for op in every:
        if getattr(op, "index_name", None) in replaced:
            continue
        found = list(_moves(op, new, model, judge))
        if isinstance(op, ops.AddConstraintOp | ops.DropConstraintOp) and (name := _named(op)):
            rules.setdefault(name, []).extend(found)
        else:
            moves += found
        left += [] if found else [op]
    moves += [move for found in rules.values() for move in _exchanged(found)]
    return [_asked(move, every) for move in moves], left


def _named(op: ops.MigrateOperation) -> str:
    """Return the name of the constraint that an operation is about."""
    return str(getattr(op, "constraint_name", None) or "")


def _exchanged(found: list[Move]) -> list[Move]:
    """Return as one the moves of a constraint whose name another takes: as one goes, the other comes."""
    if len(found) != 2:
        return found
    gone, made = sorted(found, key=lambda move: move.rank)
    return [
        replace(
            made,
            half=Half.CONTRACT,
            rank=Rank.EXCHANGED_RULE,
            there=(*gone.there, *made.there),
            back=(*made.back, *gone.back),
            strong=(*gone.strong, *made.strong),
            notes=("From the first of these two to the end of the second no rule of this name holds.",),
        )
    ]


def _moves(
    op: ops.MigrateOperation, new: frozenset[str], model: Table | None, judge: columns.TypeJudge
) -> Iterator[Move]:
    if isinstance(op, ops.AddColumnOp):
        yield from columns.added(op)
    elif isinstance(op, ops.DropColumnOp):
        yield from columns.dropped(op)
    elif isinstance(op, ops.AlterColumnOp):
        yield from columns.altered(op, judge)
    elif isinstance(op, ops.CreateIndexOp):
        yield keys.index_added(op, new)
    elif isinstance(op, ops.DropIndexOp):
        yield keys.index_dropped(op)
    elif isinstance(op, ops.DropConstraintOp):
        yield from keys.constraint_dropped(op, model)
    elif isinstance(op, ops.AddConstraintOp):
        rule = op.to_constraint()
        move = keys.constraint_added(rule, rule.table, new, model)
        yield from () if move is None else (move,)
    elif isinstance(op, ops.CreateTableCommentOp | ops.DropTableCommentOp):
        yield _described(op)


def _described(op: ops.CreateTableCommentOp | ops.DropTableCommentOp) -> Move:
    table = table_name(op.table_name, op.schema)
    new = op.comment if isinstance(op, ops.CreateTableCommentOp) else None
    there, back = (call("set_comment", table, said) for said in (new, op.existing_comment))
    strong = (columns.SHARED.format(table),)
    return Move(Half.EXPAND, Rank.COMMENT, (there,), (back,), strong=strong)


def _asked(move: Move, every: Sequence[ops.MigrateOperation]) -> Move:
    """Return a move of a column that goes, with the question whether it comes back under another name."""
    if move.rank is not Rank.DROP_COLUMN or move.half is not Half.EXPAND:
        return move
    gone = [op.to_column() for op in every if isinstance(op, ops.DropColumnOp)]
    made = [op for op in every if isinstance(op, ops.AddColumnOp)]
    notes = tuple(
        _is_it_renamed(table_name(op.table_name, op.schema), column.name, op.column.name)
        for column in gone
        for op in made
        if written(column.name) in move.there[0] and type_text(op.column.type) == type_text(column.type)
    )
    return replace(move, notes=(*move.notes, *notes))


def _is_it_renamed(table: str, old: str, new: str) -> str:
    instead = call("rename_column", table, old, new, part="expand")
    return (
        f'Is "{new}" another name of "{old}"? Then its values go: in place of both, {instead}, '
        'and in the revision of the contract part="contract"'
    )
