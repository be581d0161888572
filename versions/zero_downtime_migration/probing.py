"""Ask the server what it would do: on a temporary table, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import fitted
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

PROBE: Final = SQL("pg_temp.zz_probe")
_INDEX: Final = SQL("zz_probe_index")


@contextmanager
def rolled_back(session: Session) -> Iterator[None]:
    """Take back whatever the block does, also within a transaction."""
    alone = session.connection.info.transaction_status == TRANSACTION_STATUS_IDLE
    session.run("BEGIN" if alone else "SAVEPOINT zz_probe")
    try:
        yield
    finally:
        if not session.connection.closed:
            session.run("ROLLBACK" if alone else "ROLLBACK TO SAVEPOINT zz_probe; RELEASE SAVEPOINT zz_probe")


def not_null_name(session: Session, table: Table, column: str) -> str:
    """Return what the server would call the constraint that a column of a table is NOT NULL."""
    called = SQL("pg_temp.{}").format(Identifier(table.plain))
    with rolled_back(session):
        session.run(SQL("CREATE TEMP TABLE {} ({} integer NOT NULL)").format(called, Identifier(column)))
        name = str(session.value("probed_rule_name", table=session.text(called), kind="n"))
    return free_name(session, table, name)


def check_name(session: Session, table: Table, column: str, declared: Composable) -> str:
    """Return what the server would call the check of a column that is added as it is *declared*.

    Locks: ACCESS SHARE on the table, for milliseconds.
    """
    called = SQL("pg_temp.{}").format(Identifier(table.plain))
    with rolled_back(session):
        session.run(SQL("CREATE TEMP TABLE {} (LIKE {})").format(called, SQL(table.name)))
        _add_probed(session, table, called, column, declared)
        name = str(session.value("probed_rule_name", table=session.text(called), kind="c"))
    return free_name(session, table, name)


def free_name(session: Session, table: Table, name: str) -> str:
    """Return the name, or the first one with a number that no constraint of the table's schema has."""
    number, free = 0, name
    while session.value("is_rule_name", oid=table.oid, name=free):
        number += 1
        free = fitted(f"{name}{number}")
    return free


def sequence_name(session: Session, table: Table, column: str) -> str:
    """Return what the server would call the sequence of a serial column of a table."""
    called = SQL("pg_temp.{}").format(Identifier(table.plain))
    with rolled_back(session):
        session.run(SQL("CREATE TEMP TABLE {} ({} serial)").format(called, Identifier(column)))
        name = str(session.value("probed_sequence", table=session.text(called)))
    number, free = 0, name
    while session.value(_IS_TAKEN.format(Literal(session.text(table.beside(free))))):
        number += 1
        free = fitted(f"{name}{number}")
    return free


@dataclass(frozen=True)
class Asked:
    """What the server makes of a column's declaration: its type, and its default or expression in full.

    `rewrites` is whether every row would be written anew; `serial` whether it comes with a sequence.
    """

    type_oid: int
    type: str
    expression: str | None
    rewrites: bool
    serial: bool


def asked(session: Session, table: Table, column: str, declared: Composable) -> Asked:
    """Return what the server would make of a column, if it were added to a table as *declared*.

    Locks: ACCESS SHARE on the table, for milliseconds.

    Raises:
        TableError: the server does not take it, or it declares a constraint.
    """
    with rolled_back(session):
        session.run(SQL("CREATE TEMP TABLE zz_probe (LIKE {})").format(SQL(table.name)))
        before = session.value(_WHERE_ROWS_ARE)
        _add_probed(session, table, PROBE, column, declared)
        if session.ask("probed_rules"):
            raise TableError(
                f'the type of "{column}" says more than a type',
                hint="say a check with check=…; add keys by operations of their own",
            )
        # With an empty path the server writes every name in full.
        session.run("SET LOCAL search_path = ''")
        type_oid, type_, expression, after, serial = session.ask("probed_column")[0]
        return Asked(type_oid, type_, expression, before != after, serial)


def _add_probed(session: Session, table: Table, probe: Composable, column: str, declared: Composable) -> None:
    name = Identifier(column)
    session.run(SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {}").format(probe, name))
    try:
        session.run(SQL("ALTER TABLE {} ADD COLUMN {} {}").format(probe, name, declared))
    except psycopg2.Error as error:
        raise TableError(
            f'"{column}" cannot be added to "{table.name}": {shown_message(error)}',
            hint="write a type, and expressions, as ALTER TABLE takes them",
        ) from error


def renamed_index(session: Session, table: str, definition: str, column: str, to: str) -> str:
    """Return what follows USING in an index's definition, once a column has another name.

    Locks: ACCESS SHARE on the table, for milliseconds.
    """
    with rolled_back(session):
        session.run(SQL("CREATE TEMP TABLE zz_probe (LIKE {})").format(SQL(table)))
        session.run(SQL("CREATE INDEX {} ON {} USING {}").format(_INDEX, PROBE, SQL(after_using(definition))))
        session.run(
            SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(PROBE, Identifier(column), Identifier(to))
        )
        return after_using(str(session.value(_DEFINED)))


def after_using(definition: str) -> str:
    """Return what follows the first USING behind the names of an index and its table."""
    quoted = False
    for place, letter in enumerate(definition):
        quoted ^= letter == '"'
        if not quoted and definition.startswith(" USING ", place):
            return definition[place + len(" USING ") :]
    return definition


_DEFINED: Final[Composable] = SQL("SELECT pg_catalog.pg_get_indexdef('pg_temp.zz_probe_index'::regclass)")
_WHERE_ROWS_ARE: Final[Composable] = SQL(
    "SELECT pg_catalog.pg_relation_filenode('pg_temp.zz_probe'::regclass)"
)
_IS_TAKEN: Final = SQL("SELECT pg_catalog.to_regclass({}) IS NOT NULL")
