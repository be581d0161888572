"""Ask the database that holds the catalogue; reads only, each statement by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import Composable

from spotify_ai_agent_migrations.versions.core.database import open_connection
from spotify_ai_agent_migrations.versions.core.errors import RevisionError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries

STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure")


# What keeps one table from being looked at: somebody who locks it, or its size.
SLOW: Final = (psycopg2.errors.QueryCanceled, psycopg2.errors.LockNotAvailable)


def opened(url: str | None) -> Connection:
    """Return a connection that reads only, each statement by itself; the caller closes it.

    Raises:
        RevisionError: the database has no catalogue.
    """
    connection = open_connection(resolve_settings(url), purpose="agentdb gdpr-erasure", row_security=False)
    connection.set_session(readonly=True, autocommit=True)
    with connection.cursor() as cursor:
        if asked(cursor, "is_there") == [(True,)]:
            return connection
    connection.close()
    raise RevisionError(
        "the database has no catalogue of personal data", hint="apply the revisions: alembic upgrade head"
    )


def asked(cursor: Cursor, name: str, **values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a named statement."""
    cursor.execute(STATEMENTS[name], values)
    return cursor.fetchall()


def accepted(cursor: Cursor, statement: Composable, values: Sequence[object] = ()) -> bool:
    """Tell whether the server takes the values of *statement*: whether they are of its types at all.

    A transaction that the cursor is in goes on, whatever the answer.
    """
    begun = cursor.connection.get_transaction_status() == TRANSACTION_STATUS_INTRANS
    if begun:
        cursor.execute("SAVEPOINT asking")
    try:
        cursor.execute(statement, values)
    except (psycopg2.DataError, psycopg2.IntegrityError, psycopg2.errors.SyntaxError):
        if begun:
            cursor.execute("ROLLBACK TO SAVEPOINT asking")
        return False
    return True
