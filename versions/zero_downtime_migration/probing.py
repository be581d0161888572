"""Ask the server what it would do: on a temporary table, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.sql import SQL, Composable, Identifier

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
            session.run("ROLLBACK" if alone else "ROLLBACK TO SAVEPOINT zz_probe")


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
