"""Try what the server makes of a column that is declared: its type, its default, whether all is rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import refused, rolled_back, unpathed

PROBE: Final = SQL("pg_temp.zz_probe")


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
        unpathed(session)
        type_oid, type_, expression, after, serial = session.ask("probed_column")[0]
        return Asked(type_oid, type_, expression, before != after, serial)


def add_probed(session: Session, table: Table, probe: Composable, column: str, declared: Composable) -> None:
    """Add a column to a temporary table as it is *declared*, or refuse it with what the server says."""
    name = Identifier(column)
    session.run(SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {}").format(probe, name))
    with refused(
        f'"{column}" cannot be added to "{table.name}"',
        "write a type, and expressions, as ALTER TABLE takes them",
    ):
        session.run(SQL("ALTER TABLE {} ADD COLUMN {} {}").format(probe, name, declared))


_WHERE_ROWS_ARE: Final[Composable] = SQL(
    "SELECT pg_catalog.pg_relation_filenode('pg_temp.zz_probe'::regclass)"
)
