"""Ask the server what it would do: on a temporary table, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

PROBE: Final = SQL("pg_temp.zz_probe")


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
        add_probed(session, table, PROBE, column, declared)
        if session.ask("probed_rules"):
            raise TableError(
                f'the type of "{column}" says more than a type',
                hint="say a check with check=…; add keys by operations of their own",
            )
        # With an empty path the server writes every name in full.
        session.run("SET LOCAL search_path = ''")
        type_oid, type_, expression, after, serial = session.ask("probed_column")[0]
        return Asked(type_oid, type_, expression, before != after, serial)


def add_probed(session: Session, table: Table, probe: Composable, column: str, declared: Composable) -> None:
    """Add a column to a temporary table as it is *declared*, or refuse it with what the server says."""
    name = Identifier(column)
    session.run(SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {}").format(probe, name))
    try:
        session.run(SQL("ALTER TABLE {} ADD COLUMN {} {}").format(probe, name, declared))
    except psycopg2.Error as error:
        raise TableError(
            f'"{column}" cannot be added to "{table.name}": {shown_message(error)}',
            hint="write a type, and expressions, as ALTER TABLE takes them",
        ) from error


_WHERE_ROWS_ARE: Final[Composable] = SQL(
    "SELECT pg_catalog.pg_relation_filenode('pg_temp.zz_probe'::regclass)"
)
