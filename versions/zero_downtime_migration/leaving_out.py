"""Let new code leave a column out that old code writes."""

from __future__ import annotations

import psycopg2
from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Column, Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Kind, Lock, Phase, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations.drop_not_null import (
    nullable_steps,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import rolled_back
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_column import PROBE


def left_out(session: Session, table: Table, name: str, default: str | None) -> tuple[Step, ...]:
    """Return what lets new code leave the column out."""
    column = table.column(name)
    if default is not None:
        return (_given_default(session, table, column, default),)
    if column.default is not None or column.identity or column.generated:
        return ()
    _refuse_null(session, table, column)
    return nullable_steps(session, table, name) if column.not_null else ()


def _refuse_null(session: Session, table: Table, column: Column) -> None:
    """Refuse a column whose checks or domain would not let it be NULL."""
    number = session.value("column_number", oid=table.oid, column=column.name)
    checks = session.ask("checks_of_column", oid=table.oid, number=number)
    with rolled_back(session):
        session.run(
            SQL("CREATE TEMP TABLE {} ({} {})").format(PROBE, Identifier(column.name), SQL(column.type))
        )
        try:
            session.run(SQL("INSERT INTO {} VALUES (NULL)").format(PROBE))
        except psycopg2.IntegrityError as error:
            raise _needs_value(table, column, f"its type {column.type}") from error
        for name, said in checks:
            if session.value(SQL("SELECT ({}) FROM {}").format(SQL(said), PROBE)) is False:
                raise _needs_value(table, column, f"the check {name}")


def _needs_value(table: Table, column: Column, reason: str) -> TableError:
    return TableError(
        f'"{column.name}" of "{table.name}" cannot be left out by new code: {reason} refuses NULL',
        hint="say with default=… what it gets, or take that away first",
    )


def _given_default(session: Session, table: Table, column: Column, default: str) -> Step:
    alter = SQL("ALTER TABLE {} ALTER COLUMN {} ").format(SQL(table.name), Identifier(column.name))
    given = SQL("{}SET DEFAULT {}")
    return Step(
        name="give it a default for whoever leaves it out",
        phase=Phase.START,
        kind=Kind.BRIEF,
        sql=(session.text(given.format(alter, SQL(default))),),
        locks=(Lock(table.name),),
        undo=(
            session.text(
                given.format(alter, SQL(column.default)) if column.default else alter + SQL("DROP DEFAULT")
            ),
        ),
        plain=(),
    )
