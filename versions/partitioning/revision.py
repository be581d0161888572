"""The verbs as a revision uses them: in its transaction while tables are small, online when they are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from alembic import op
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.ddl import execute
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock
from spotify_ai_agent_migrations.versions.partitioning import facts
from spotify_ai_agent_migrations.versions.partitioning.session import (
    SPELLING,
    Inside,
    Result,
    Session,
    Written,
    maintenance_key,
)

# Below this everything is done in some hundredths of a second, and so within the revision's transaction.
SMALL_BYTES = 8 * 1024 * 1024
_OWNER = "agent_owner"


class Noted(Written):
    """A dry run while tables are large: what has to run alone is told to whoever watches, not executed."""

    def run(self, statement: str | Composable) -> int:
        """Tell one statement."""
        with op.get_context().autocommit_block():
            execute(self.text(statement))
        return 0

    def transaction(self, work: Callable[[], Result]) -> Result:
        """Do *work* in the transaction of the dry run: what it executes past `run` is executed."""
        return work()


@contextmanager
def migrating(*tables: str, rehearsable: bool = True) -> Iterator[Session]:
    """Let a revision work on the partitions of *tables*, as the owner of them.

    While all of them are small it is one transaction, the revision's own. Else it is a sequence of steps that
    each commit and can each be repeated; nothing of the revision is outside of the block then.
    A dry run tells those steps, unless it is not *rehearsable*: a rollback keeps what it has seen executed.

    Raises:
        RevisionError: a dry run of what cannot be rehearsed, while a table is large.
    """
    context = op.get_context()
    connection = _driver_connection()
    small = _are_small(connection, tables)
    # A dry run has a transaction open that it will roll back.
    rehearsed = context._in_external_transaction
    if rehearsed and not small and not rehearsable:
        raise RevisionError(
            f"{' and '.join(tables)} are large, and to take their partitions back has to run alone",
            hint="python versions/007_partitioning.py downgrade does so; then roll back further",
        )
    if small or rehearsed:
        execute(f"SET LOCAL ROLE {_OWNER}")
        yield Inside(connection, execute) if small else Noted(connection)
        execute("RESET ROLE")
        return
    with context.autocommit_block(), _as_owner(connection), _alone(connection, tables):
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
    before = {name: str(session.value(SQL("SHOW {}").format(Identifier(name)))) for name in SPELLING}
    session.run(f"SET ROLE {_OWNER}")
    for setting, value in SPELLING.items():
        session.run(SQL("SET {} = {}").format(Identifier(setting), Literal(value)))
    try:
        yield
    finally:
        if not connection.closed:
            session.run("RESET ROLE")
            for setting, value in before.items():
                session.run(SQL("SET {} = {}").format(Identifier(setting), Literal(value)))


@contextmanager
def _alone(connection: Connection, tables: tuple[str, ...]) -> Iterator[None]:
    """Hold the lock of every table's maintenance for the block."""
    session = Session(connection)
    with ExitStack() as held:
        for table in tables:
            key = maintenance_key(facts.qualified(session, table))
            held.enter_context(advisory_lock(connection, key, wait_ms=60_000))
        yield
