"""Let a column be NULL, so that it can be made NOT NULL again without reading the table under a lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.writing import only_if


@dataclass(frozen=True)
class DropNotNull:
    """Let *column* be NULL; *table* with its schema. Old code that reads it may meet NULL from then on.

    An abort makes it NOT NULL again, by a constraint that is validated while others read and write; rows that
    have no value then are in the way, and are to be given one first.

    Locks: ACCESS EXCLUSIVE for milliseconds.

    Raises:
        TableError: something else holds it NOT NULL: a key, an identity, a table it inherits from.
    """

    table: str
    column: str
    operation: ClassVar[str] = "drop_not_null"

    @property
    def subject(self) -> str:
        """The column."""
        return self.column

    def steps(self, session: Session, table: Table) -> tuple[Step, ...]:
        """Return the steps; none if the column may be NULL."""
        return nullable_steps(session, table, self.column) if table.column(self.column).not_null else ()


def nullable_steps(session: Session, table: Table, column: str) -> tuple[Step, ...]:
    """Return what lets a column be NULL; the first two do nothing but to be taken back after the last one."""
    for (reason,) in session.ask("not_null_reasons", oid=table.oid, column=column):
        raise TableError(
            f'"{column}" of "{table.name}" has to be NOT NULL: {reason}', hint="take that away first"
        )
    rules = session.ask("not_null_rule", oid=table.oid, column=column)
    name = rules[0][0] if rules else fitted("zz", table.plain, column, "not_null")
    parts = {
        "table": SQL(table.name),
        "column": Identifier(column),
        "name": Identifier(name),
        "comment": Literal(rules[0][2] if rules else None),
    }

    def said(text: str) -> str:
        return session.text(SQL(text).format(**parts))

    drop = said("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
    proved = (
        said("ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL"),
        said("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"),
    )
    add = said(
        "ALTER TABLE {table} ADD CONSTRAINT {name} NOT NULL {column} NOT VALID;"
        " COMMENT ON CONSTRAINT {name} ON {table} IS {comment}"
        if rules
        else "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IS NOT NULL) NOT VALID"
    )
    is_nullable = SQL(
        "EXISTS (SELECT FROM pg_catalog.pg_attribute AS part WHERE part.attrelid = pg_catalog.to_regclass({})"
        " AND part.attname = {} AND NOT part.attnotnull)"
    ).format(Literal(table.name), Literal(column))
    is_rule = SQL(
        "EXISTS (SELECT FROM pg_catalog.pg_constraint AS rule"
        " WHERE rule.conrelid = pg_catalog.to_regclass({}) AND rule.conname = {})"
    ).format(Literal(table.name), Literal(name))
    no_rule = SQL("{} AND NOT {}").format(is_nullable, is_rule)
    validate = said("ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
    return (
        _taken_back(table, "state NOT NULL, when this is taken back", () if rules else proved),
        _taken_back(
            table,
            "validate NOT NULL, when this is taken back",
            (only_if(session, is_rule, validate),),
            alone=True,
        ),
        Step(
            name="let it be NULL",
            phase=Phase.START,
            kind=Kind.BRIEF,
            sql=(drop,),
            locks=(Lock(table.name),),
            undo=(only_if(session, no_rule, add),),
        ),
    )


def _taken_back(table: Table, name: str, undo: tuple[str, ...], *, alone: bool = False) -> Step:
    return Step(
        name=name,
        phase=Phase.START,
        kind=Kind.ALONE if alone else Kind.BRIEF,
        locks=() if alone else (Lock(table.name),),
        undo=undo,
        plain=(),
    )
