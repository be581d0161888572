"""Give columns of a table another form: new ones beside the old, in step with them, which go at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import psycopg2
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import relations
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Fill, Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.not_null import not_null_steps
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import STATEMENTS, Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.sync import (
    Direction,
    Sync,
    differing,
    two_way,
)

# What the placeholders of a proof are filled in for, once it has found something.
COUNT: Final = "{first}"


@dataclass(frozen=True)
class NewColumn:
    """A column that comes: its type and the expression it gets, as SQL; `references` follows the type."""

    name: str
    type: str
    value: str
    not_null: bool = False
    references: str = ""


@dataclass(frozen=True)
class Shape:
    """Old columns with the expressions that give them back, and the new ones; all are of NEW, a row.

    `called` names the trigger. `final` are statements behind the DROP of the old columns, in its transaction;
    `lossy` allows that an old value is not given back as it was.
    """

    called: str
    old: tuple[tuple[str, str], ...]
    new: tuple[NewColumn, ...]
    lossy: bool = False
    beside: tuple[Lock, ...] = ()
    final: tuple[str, ...] = ()


def refuse(session: Session, table: Table, shape: Shape) -> None:
    """Refuse what cannot be reshaped.

    Raises:
        TableError: with the names of what stands in the way, or with what is wrong about an expression.
    """
    columns = [name for name, _ in shape.old]
    _refuse_table(session, table)
    for name in columns:
        if table.column(name).generated:
            raise TableError(f'"{name}" of "{table.name}" is generated', hint="reshape what it is made of")
    relations.refuse(
        f'"{table.name}" has columns of a new name already',
        (column.name for column in shape.new if table.has(column.name)),
        "choose other names",
    )
    relations.refuse(
        f"what hangs on {_listed(columns)} would be lost",
        relations.firsts(session, "columns_dependents", oid=table.oid, columns=columns),
        "make what is like it for the new columns, and drop it",
    )
    _try(session, table, shape)


def steps(session: Session, table: Table, shape: Shape) -> tuple[Step, ...]:
    """Return the steps from the new columns, empty, to the end of the old ones."""
    return (
        _added(session, table, shape),
        _filled(session, table, shape),
        _proof_of_filling(session, table, shape),
        *(() if shape.lossy else (_proof_of_values(session, table, shape),)),
        *_required(session, table, shape),
        _proof_of_dependents(session, table, shape),
        _dropped(session, table, shape),
    )


def _refuse_table(session: Session, table: Table) -> None:
    if table.is_partition:
        raise TableError(f'"{table.name}" is a partition', hint="reshape the table that it is a part of")
    if not table.primary:
        raise TableError(
            f'"{table.name}" has no primary key to walk along', hint="give it one first: add_primary_key"
        )
    relations.refuse(
        f'"{table.name}" is bound by INHERITS, through which no trigger keeps columns in step',
        relations.firsts(session, "relatives", oid=table.oid),
        "end the inheritance first, or make it partitions",
    )


def _try(session: Session, table: Table, shape: Shape) -> None:
    """Let the server read all expressions, of no row at all."""
    new = SQL(", ").join(
        SQL("NULL::{} AS {}").format(SQL(column.type), Identifier(column.name)) for column in shape.new
    )
    values = [column.value for column in shape.new] + [value for _, value in shape.old]
    query = SQL("SELECT {} FROM (SELECT t.*, {} FROM {} AS t) AS new LIMIT 0").format(
        SQL(", ").join(SQL("({})").format(SQL(value)) for value in values), new, SQL(table.name)
    )
    try:
        session.ask(query)
    except psycopg2.Error as error:
        raise TableError(
            f'an expression for "{table.name}" cannot be computed: {shown_message(error)}',
            hint="write it of new.COLUMN, and its functions with their schema",
        ) from error


def _added(session: Session, table: Table, shape: Shape) -> Step:
    def each(form: str, column: NewColumn) -> Composable:
        return SQL(form).format(
            Identifier(column.name), SQL(" ".join((column.type, column.references)).strip())
        )

    alter = SQL("ALTER TABLE {} {}")
    added = alter.format(SQL(table.name), SQL(", ").join(each("ADD COLUMN {} {}", one) for one in shape.new))
    dropped = alter.format(
        SQL(table.name),
        SQL(", ").join(SQL("DROP COLUMN IF EXISTS {}").format(Identifier(one.name)) for one in shape.new),
    )
    old = [name for name, _ in shape.old]
    granted = (grant for one in shape.new for grant in relations.column_grants(session, table, old, one.name))
    sync = _sync(session, table, shape)
    return Step(
        name=f"add {_listed([one.name for one in shape.new])}, kept in step",
        phase=Phase.START,
        kind=Kind.BRIEF,
        sql=(session.text(added), *granted, *sync.create),
        locks=(Lock(table.name), *shape.beside),
        undo=(*sync.drop, session.text(dropped)),
        plain=(session.text(added), *granted),
    )


def _sync(session: Session, table: Table, shape: Shape) -> Sync:
    new = tuple((column.name, column.value) for column in shape.new)
    up = Direction(tuple(name for name, _ in shape.old), new)
    return two_way(session, table, shape.called, up, Direction(tuple(name for name, _ in new), shape.old))


def _filled(session: Session, table: Table, shape: Shape) -> Step:
    """Return the step that fills: the expressions are of a row called `new`, which an UPDATE has not."""
    values = tuple(
        (column.name, session.text(SQL("(SELECT {} FROM (SELECT t.*) AS new)").format(SQL(column.value))))
        for column in shape.new
    )
    due = session.text(_missing("t", shape))
    update = SQL("UPDATE {} AS t SET {} WHERE {}").format(
        SQL(table.name),
        SQL(", ").join(SQL("{} = {}").format(Identifier(name), SQL(value)) for name, value in values),
        SQL(due),
    )
    return Step(
        name="fill the new columns",
        phase=Phase.BACKFILL,
        kind=Kind.FILL,
        fill=Fill(table.name, values, due),
        locks=(Lock(table.name, "ROW EXCLUSIVE"),),
        held="a batch at a time; only rows of it are locked",
        plain=(session.text(update),),
    )


def _missing(row: str, shape: Shape) -> Composable:
    """Whether a row has old values and no new ones."""
    empty = SQL(" AND ").join(SQL("{} IS NULL").format(Identifier(row, one.name)) for one in shape.new)
    given = SQL(" OR ").join(SQL("{} IS NOT NULL").format(Identifier(row, name)) for name, _ in shape.old)
    return SQL("{} AND ({})").format(empty, given)


def _proof_of_filling(session: Session, table: Table, shape: Shape) -> Step:
    owed = SQL(" OR ").join(SQL("({}) IS NOT NULL").format(SQL(one.value)) for one in shape.new)
    wrong = SQL("{} AND ({})").format(_missing("new", shape), owed)
    return _count(
        session, table, wrong, "look for rows that were missed", "were not filled", "backfill it again"
    )


def _proof_of_values(session: Session, table: Table, shape: Shape) -> Step:
    wrong = SQL(" OR ").join(differing(SQL(value), Identifier("new", name)) for name, value in shape.old)
    return _count(
        session,
        table,
        wrong,
        "look for values that do not come back as they were",
        f"would lose a part of {_listed([name for name, _ in shape.old])}",
        "abort it and give other expressions, or say that it may be lossy",
    )


def _count(session: Session, table: Table, wrong: Composable, name: str, failure: str, hint: str) -> Step:
    query = SQL("SELECT count(*) FROM {} AS new WHERE {} HAVING count(*) > 0").format(SQL(table.name), wrong)
    return Step(
        name=name,
        phase=Phase.VERIFY,
        kind=Kind.PROOF,
        sql=(session.text(query),),
        locks=(Lock(table.name, "ACCESS SHARE"),),
        held="while it reads the table",
        plain=(),
        failure=f'{COUNT} rows of "{table.name}" {failure}',
        hint=hint,
    )


def _required(session: Session, table: Table, shape: Shape) -> tuple[Step, ...]:
    """Return what makes new columns NOT NULL: not before they are filled, for no row keeps to it."""
    found = (
        replace(step, phase=Phase.VERIFY if step.phase is Phase.START else step.phase)
        for one in shape.new
        if one.not_null
        for step in not_null_steps(session, table, one.name)
    )
    # Nothing is asked of writers before it is known to hold.
    return tuple(sorted(found, key=lambda step: step.kind is not Kind.PROOF))


def _proof_of_dependents(session: Session, table: Table, shape: Shape) -> Step:
    columns = [name for name, _ in shape.old]
    query = SQL(
        STATEMENTS["columns_dependents"].replace("%(oid)s", "{oid}").replace("%(columns)s", "{columns}")
    )
    return Step(
        name="look for what hangs on the old columns",
        phase=Phase.COMPLETE,
        kind=Kind.PROOF,
        sql=(
            session.text(
                query.format(
                    oid=SQL("pg_catalog.to_regclass({})").format(Literal(table.name)),
                    columns=Literal(columns),
                )
            ),
        ),
        plain=(),
        failure=f"what hangs on {_listed(columns)} would be lost: {{first}}, one of {{count}}",
        hint="make what is like it for the new columns, and drop it",
    )


def _dropped(session: Session, table: Table, shape: Shape) -> Step:
    old = SQL(", ").join(SQL("DROP COLUMN {}").format(Identifier(name)) for name, _ in shape.old)
    drop = session.text(SQL("ALTER TABLE {} {}").format(SQL(table.name), old))
    return Step(
        name=f"drop {_listed([name for name, _ in shape.old])}",
        phase=Phase.COMPLETE,
        kind=Kind.BRIEF,
        # With the trigger: without it nothing would fill an old column that is NOT NULL.
        sql=(*_sync(session, table, shape).drop, drop, *shape.final),
        locks=(Lock(table.name),),
        plain=(drop, *shape.final),
        final=True,
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f'"{name}"' for name in names)
