"""What columns of a table become, and what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import refusals
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.fired import as_fired, nothing_of
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


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
    for one in shape.new:
        refusals.refuse_long(one.name)
    refusals.refuse(
        f'"{table.name}" has columns of a new name already',
        (column.name for column in shape.new if table.has(column.name)),
        "choose other names",
    )
    refusals.refuse(
        f"what hangs on {listed(columns)} would be lost",
        refusals.firsts(session, "columns_dependents", oid=table.oid, columns=columns),
        "make what is like it for the new columns, and drop it",
    )
    _try(session, table, shape)


def _refuse_table(session: Session, table: Table) -> None:
    if table.is_partition:
        raise TableError(f'"{table.name}" is a partition', hint="reshape the table that it is a part of")
    if not table.primary:
        raise TableError(
            f'"{table.name}" has no primary key to walk along', hint="give it one first: add_primary_key"
        )
    refusals.refuse(
        f'"{table.name}" is bound by INHERITS, through which no trigger keeps columns in step',
        refusals.firsts(session, "relatives", oid=table.oid),
        "end the inheritance first, or make it partitions",
    )


def _try(session: Session, table: Table, shape: Shape) -> None:
    """Let the server read all expressions as the trigger will, of no row at all."""
    values = [column.value for column in shape.new] + [value for _, value in shape.old]
    try:
        new = nothing_of(session, [(column.name, column.type) for column in shape.new])
        with as_fired(session):
            session.ask(
                SQL("SELECT {} FROM (SELECT t.*, {} FROM {} AS t) AS new LIMIT 0").format(
                    SQL(", ").join(SQL("({})").format(SQL(value)) for value in values), new, SQL(table.name)
                )
            )
    except psycopg2.Error as error:
        raise TableError(
            f'an expression for "{table.name}" cannot be computed: {shown_message(error)}',
            hint="write it of new.COLUMN, and its functions with their schema",
        ) from error


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence has them."""
    return " and ".join(f'"{name}"' for name in names)
