"""What a column that is new, gone or another comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from alembic.operations.ops import AddColumnOp, AlterColumnOp, DropColumnOp
from sqlalchemy import Column, Enum
from sqlalchemy.types import TypeEngine

from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.moves import (
    Half,
    Move,
    Rank,
    call,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate.reading import (
    collation_text,
    default_text,
    is_plain,
    quoted,
    scalar_text,
    table_name,
    type_text,
)

STRONG: Final = "ACCESS EXCLUSIVE on {}"
_STABLE: Final = frozenset({"now()", "transaction_timestamp()", "statement_timestamp()"})
SHARED: Final = "SHARE UPDATE EXCLUSIVE on {}"


@dataclass(frozen=True)
class Verdict:
    """What the server says of a type change: whether its catalogue is all that changes, or why it refuses.

    `back` is the expression without which it would, for it is not certain what old code reads.
    """

    at_once: bool = False
    back: str | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Retyped:
    """A column whose type is to change."""

    table: str
    column: str
    old: TypeEngine[Any]
    new: TypeEngine[Any]

    @property
    def back(self) -> str:
        """The plain way back: an expression of the column."""
        return f"CAST({quoted(self.column)} AS {type_text(self.old)})"

    def turned(self) -> Retyped:
        """Return the change the other way round."""
        return Retyped(self.table, self.column, self.new, self.old)

    def call(self, *, part: str = "", back: str | None = None) -> str:
        """Return the call that makes it."""
        kind, collation = type_text(self.new), collation_text(self.new)
        return call("change_type", self.table, self.column, kind, back=back, collation=collation, part=part)


TypeJudge = Callable[[Retyped], Verdict]


def added(op: AddColumnOp) -> Iterator[Move]:
    """Yield how a column is added: as it is where old code can leave it out, else in two halves.

    None where it is generated and stored, which rewrites the table: the gate says so of Alembic's own.
    """
    column = op.column
    if _is_stored(column):
        return
    table = table_name(op.table_name, op.schema)
    stand_in = scalar_text(column) if _is_required(column) else None
    fields = {**_fields(column), **({"default": stand_in} if stand_in else {})}
    required = not column.nullable
    late = _is_required(column) and stand_in is None
    fills = f"{column.name} of {table}, each row its own value" if _differs(fields) else ""
    yield Move(
        Half.EXPAND,
        Rank.COLUMN,
        (
            call(
                "add_column",
                table,
                column.name,
                type_text(column.type),
                **fields,
                not_null=required and not late,
            ),
        ),
        (call("drop_column", table, column.name),),
        strong=(STRONG.format(table),),
        fills=fills,
        lost_back=f"the values of {column.name}",
        notes=_types(column),
    )
    if stand_in:
        yield _default(table, column.name, None, stand_in, Half.CONTRACT)
    if late:
        yield _required(table, column.name, _no_value(table, column.name))


def _no_value(table: str, column: str) -> str:
    advice = call("backfill", table, {column: "…"}, due=f"{quoted(column)} IS NULL")
    return f"Rows of {table} have no value here yet. Give them one first: {advice}"


def _types(column: Column[Any]) -> tuple[str, ...]:
    """Return what has to be there before: a type of its own, which no difference tells of."""
    kind = column.type
    if not isinstance(kind, Enum) or not kind.native_enum:
        return ()
    values = ", ".join(kind.enums)
    return (f"Where the type is new, a revision before this one makes it: {type_text(kind)}, of {values}",)


def dropped(op: DropColumnOp) -> Iterator[Move]:
    """Yield how a column goes: left out by new code first, then put away and dropped.

    None where it is generated and stored, for it could not come back without a rewrite.
    """
    column = op.to_column()
    if _is_stored(column):
        return
    table = table_name(op.table_name, op.schema)
    part = {
        half: call("drop_column", table, column.name, part=half) for half in ("expand", "contract", "undo")
    }
    fields = _fields(column)
    kept = not column.nullable and fields["default"] is not None
    again = call("add_column", table, column.name, type_text(column.type), **fields, not_null=kept)
    strong = (STRONG.format(table),)
    yield Move(Half.EXPAND, Rank.DROP_COLUMN, (part["expand"],), (part["undo"],), strong=strong)
    yield Move(
        Half.CONTRACT,
        Rank.DROP_COLUMN,
        (part["contract"],),
        (again, part["expand"]),
        strong=strong,
        lost=f"the values of {column.name} of {table}",
        lost_back=f"{column.name} comes back without its values"
        + ("" if column.nullable or kept else ", and may be NULL"),
    )


def altered(op: AlterColumnOp, judge: TypeJudge) -> Iterator[Move]:
    """Yield what becomes of a column: each of its differences by itself; none where one is not known.

    That is an identity, or an expression that generates the column.
    """
    if op.modify_server_default is not False and not (
        is_plain(op.modify_server_default) and is_plain(op.existing_server_default)
    ):
        return
    table, column = table_name(op.table_name, op.schema), op.column_name
    if op.modify_type is not None and op.existing_type is not None:
        yield from _retyped(Retyped(table, column, op.existing_type, op.modify_type), judge)
    if op.modify_nullable is not None:
        yield _nullable(table, column) if op.modify_nullable else _required(table, column)
    if op.modify_server_default is not False:
        new, old = default_text(op.modify_server_default), default_text(op.existing_server_default)
        yield _default(table, column, new, old, Half.CONTRACT if new is None else Half.EXPAND)
    if op.modify_comment is not False:
        there, back = (
            call("set_comment", table, said, column=column)
            for said in (op.modify_comment, op.existing_comment)
        )
        yield Move(Half.EXPAND, Rank.COMMENT, (there,), (back,), strong=(SHARED.format(table),))


def _retyped(one: Retyped, judge: TypeJudge) -> Iterator[Move]:
    verdict = judge(one)
    strong, told = (STRONG.format(one.table),), verdict.back
    # An assignment refuses what does not fit; what is read meanwhile is what was written.
    undone = one.turned().call(back=one.turned().back)
    if verdict.at_once:
        yield Move(Half.EXPAND, Rank.LOOSEN, (one.call(),), (undone,), strong=strong)
        return
    notes: tuple[str, ...] = (f"Old code reads what new code writes as {told}.",) if told else ()
    notes += (f"The server refuses it so: {verdict.refusal}",) if verdict.refusal else ()
    expand = one.call(part="expand", back=told)
    yield Move(
        Half.EXPAND,
        Rank.EXPAND_TYPE,
        (expand,),
        (one.call(part="undo", back=told),),
        strong=strong,
        reads=(one.table,),
        fills=f"the new form of {one.column} of {one.table}",
        notes=notes,
    )
    contract = (one.call(part="contract", back=told),)
    yield Move(Half.CONTRACT, Rank.CONTRACT_TYPE, contract, (undone, expand), strong=strong)


def _nullable(table: str, column: str) -> Move:
    there, back = call("drop_not_null", table, column), call("set_not_null", table, column)
    return Move(Half.EXPAND, Rank.NULLABLE, (there,), (back,), strong=(STRONG.format(table),))


def _required(table: str, column: str, *notes: str) -> Move:
    there, back = call("set_not_null", table, column), call("drop_not_null", table, column)
    return Move(
        Half.CONTRACT,
        Rank.NOT_NULL,
        (there,),
        (back,),
        strong=(STRONG.format(table),),
        reads=(table,),
        notes=notes,
    )


def _default(table: str, column: str, new: str | None, old: str | None, half: Half) -> Move:
    there, back = (call("set_default", table, column, said) for said in (new, old))
    return Move(half, Rank.DEFAULT, (there,), (back,), strong=(STRONG.format(table),))


def _is_stored(column: Column[Any]) -> bool:
    return column.computed is not None and column.computed.persisted is not False


def _is_required(column: Column[Any]) -> bool:
    """Tell whether old code, which leaves the column out, could write no row."""
    return not column.nullable and not (column.server_default or column.identity or column.computed)


def _differs(fields: dict[str, Any]) -> bool:
    """Tell whether the server gives each row a value of its own; what is not known to be stable may."""
    default = str(fields["default"] or "").lower()
    return bool(fields["identity"]) or ("(" in default and default not in _STABLE)


def _fields(column: Column[Any]) -> dict[str, Any]:
    """Return what `ops.add_column` is told of a column beside its type."""
    identity, computed = column.identity, column.computed
    return {
        "default": None if identity or computed else default_text(column.server_default),
        "collation": collation_text(column.type),
        "identity": (identity is not None and ("always" if identity.always else "by default")) or None,
        "generated": None if computed is None else str(computed.sqltext),
        "virtual": computed is not None and computed.persisted is False,
        "comment": column.comment,
    }
