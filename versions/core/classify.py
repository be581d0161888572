"""Say of one statement, by executing it, whether it keeps others waiting. Nothing of it stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.measurement import Measurement, Verdict
from spotify_ai_agent_migrations.versions.core.meter import Meter
from spotify_ai_agent_migrations.versions.core.sql import ends_transaction


def classify(statement: str, connection: Connection) -> Verdict:
    """Execute *statement*, roll it back and return the verdict on it; see `measured`."""
    return measured(statement, connection).verdict


def measured(statement: str, connection: Connection) -> Measurement:
    """Execute *statement*, roll it back and return what it did.

    Where a transaction is open on *connection* it stays as it is, and the locks it holds count as held.
    Locks: those of the statement, until it is rolled back. Sequences stay moved.
    A statement that cannot run in a transaction is one for `core.sampler`, on a clone.

    Raises:
        DatabaseError: the statement failed; `sqlstate` 25001 says that it has to run alone.
        RevisionError: it begins or ends a transaction.
    """
    if ends_transaction(statement):
        raise RevisionError(
            "a statement that begins or ends a transaction cannot be rolled back",
            hint="classify the statements inside of it",
        )
    with translated(), _undone(connection):
        meter = Meter(connection)
        meter.begin()
        with connection.cursor() as cursor:
            return meter.measure(cursor, lambda: cursor.execute(statement), statement)


@contextmanager
def _undone(connection: Connection) -> Iterator[None]:
    """Undo what the block does, in a transaction of its own or back to a savepoint."""
    if connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
        began, connection.autocommit = connection.autocommit, False
        try:
            yield
        finally:
            connection.rollback()
            connection.autocommit = began
        return
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT measured")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT measured")
