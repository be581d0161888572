"""The verbs as a revision uses them: within its transaction while tables are small, online when they are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from alembic import op
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.core.ddl import execute
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock
from spotify_ai_agent_migrations.versions.partitioning import facts
from spotify_ai_agent_migrations.versions.partitioning.session import (
    Inside,
    Session,
    Written,
    maintenance_key,
)

# Below this everything is done in some hundredths of a second, and so within the revision's transaction.
SMALL_BYTES = 8 * 1024 * 1024
_OWNER = "agent_owner"


class Noted(Written):
    """Statements of a dry run that have to run alone: they are told to whoever watches, and not executed."""

    def run(self, statement: str) -> int:  # type: ignore[override]
        """Tell one statement."""
        execute(self.text(statement))
        return 0


@contextmanager
def migrating(*tables: str) -> Iterator[Session]:
    """Let a revision work on the partitions of *tables*, as the owner of them.

    While all of them are small it is one transaction, the revision's own. Else it is a sequence of steps that
    each commit and can each be repeated; the whole block is then, and nothing of the revision is outside of it.
    """
    context = op.get_context()
    connection = _driver_connection()
    if _are_small(connection, tables):
        execute(f"SET LOCAL ROLE {_OWNER}")
        yield Inside(connection, execute)
        execute("RESET ROLE")
        return
    # A dry run has a transaction open that it will roll back, and executes nothing that has to run alone.
    rehearsed = context._in_external_transaction
    with context.autocommit_block():
        if rehearsed:
            yield Noted(connection)
        else:
            with _as_owner(connection), _alone(connection, tables):
                yield Session(connection)


def _driver_connection() -> Connection:
    raw = op.get_bind().connection.driver_connection
    assert isinstance(raw, Connection)
    return raw


def _are_small(connection: Connection, tables: tuple[str, ...]) -> bool:
    asking = Session(connection)
    return sum(int(asking.value("bytes_of", table=table) or 0) for table in tables) < SMALL_BYTES


@contextmanager
def _as_owner(connection: Connection) -> Iterator[None]:
    session = Session(connection)
    zone = session.value(SQL("SHOW TimeZone"))
    session.run(f"SET ROLE {_OWNER}")
    session.run("SET TimeZone = 'UTC'")
    try:
        yield
    finally:
        if not connection.closed:
            session.run("RESET ROLE")
            session.run(SQL("SET TimeZone = {}").format(Literal(zone)))


@contextmanager
def _alone(connection: Connection, tables: tuple[str, ...]) -> Iterator[None]:
    """Hold the lock of every table's maintenance for the block."""
    session = Session(connection)
    with ExitStack() as held:
        for table in tables:
            key = maintenance_key(facts.qualified(session, table))
            held.enter_context(advisory_lock(connection, key, wait_ms=60_000))
        yield
