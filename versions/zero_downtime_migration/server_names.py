"""Name what is made as the server would name it."""

from __future__ import annotations

from typing import Final

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.facts import Table
from spotify_ai_agent_migrations.versions.zero_downtime_migration.naming import free
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import rolled_back
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial_column import add_probed

_IS_TAKEN: Final = SQL("SELECT pg_catalog.to_regclass({}) IS NOT NULL")


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
        add_probed(session, table, called, column, declared)
        name = str(session.value("probed_rule_name", table=session.text(called), kind="c"))
    return free_name(session, table, name)


def free_name(session: Session, table: Table, name: str) -> str:
    """Return the name, or the first one with a number that no constraint of the table's schema has."""
    return free(name, lambda each: session.value("is_rule_name", oid=table.oid, name=each))


def sequence_name(session: Session, table: Table, column: str) -> str:
    """Return what the server would call the sequence of a serial column of a table."""
    called = SQL("pg_temp.{}").format(Identifier(table.plain))
    with rolled_back(session):
        session.run(SQL("CREATE TEMP TABLE {} ({} serial)").format(called, Identifier(column)))
        name = str(session.value("probed_sequence", table=session.text(called)))
    return free(name, lambda each: session.value(_IS_TAKEN.format(Literal(session.text(table.beside(each))))))
