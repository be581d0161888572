"""Try on a temporary table what the server makes of something, and take it back, whatever it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

_PLACE: Final = "agentdb_trial"


@contextmanager
def rolled_back(session: Session) -> Iterator[None]:
    """Take back whatever the block does; within a transaction, that alone."""
    connection = session.connection
    alone = connection.autocommit and connection.info.transaction_status == TRANSACTION_STATUS_IDLE
    session.run("BEGIN" if alone else f"SAVEPOINT {_PLACE}")
    try:
        yield
    finally:
        if not connection.closed:
            session.run(
                "ROLLBACK" if alone else f"ROLLBACK TO SAVEPOINT {_PLACE}; RELEASE SAVEPOINT {_PLACE}"
            )


@contextmanager
def refused(problem: str, hint: str) -> Iterator[None]:
    """Say of what the server refuses in the block what it was, and why; not of others who were in the way.

    Raises:
        TableError: *problem* with the server's own message.
    """
    try:
        yield
    except psycopg2.Error as error:
        if error.pgcode is None or error.pgcode in RETRYABLE:
            raise
        raise TableError(f"{problem}: {shown_message(error)}", hint=hint) from error


def unpathed(session: Session) -> None:
    """Have the server write every name with its schema, to the end of the transaction."""
    session.run("SET LOCAL search_path = ''")
