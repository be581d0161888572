"""Open the sessions that erase, and run what they do in transactions that are tried again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import psycopg2
from psycopg2.extensions import AsIs
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.database import open_connection, translated
from spotify_ai_agent_migrations.versions.core.errors import PrivilegeError, RevisionError
from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE, Patience
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries

ROLE: Final = "agent_eraser"
PURPOSE: Final = "agentdb gdpr-erasure erase"
STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
# What stands in a statement where a person's number or the key of a row would: the value itself travels once,
# by set_config, and so is in no statement that the server may log, keep statistics of or show.
SUBJECT: Final = AsIs("pg_catalog.current_setting('agentdb.subject')::pg_catalog.int8")
AFTER: Final = AsIs("nullif(pg_catalog.current_setting('agentdb.after'), '')::pg_catalog.jsonb")

_PATIENCE: Final = Patience(tries=6, base_s=0.1, most_s=3.0)
_Given = TypeVar("_Given")


@contextmanager
def eraser(url: str | None = None) -> Iterator[Connection]:
    """Yield a connection whose session erases, in role agent_eraser; it is closed at the end of the block.

    Neither a superuser's nor an owner's rights are in use. Row security refuses instead of hiding rows,
    each statement sees what was committed before it, and no setting that the login may change lets the
    server log a statement or its parameters. Each transaction is the caller's.

    Raises:
        PrivilegeError: the login may not act as the eraser.
        RevisionError: the database knows of no eraser yet.
    """
    connection = open_connection(resolve_settings(url), purpose=PURPOSE, row_security=False)
    try:
        with translated():
            _become(connection)
            yield connection
    finally:
        connection.close()


def _become(connection: Connection) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(STATEMENTS["may_erase"], {"role": ROLE})
        ((is_there, may, login),) = cursor.fetchall()
        if not is_there:
            raise RevisionError(
                "the database has no eraser", hint="apply the revisions: alembic upgrade head"
            )
        if not may:
            raise PrivilegeError(
                f'the login "{login}" may not act as "{ROLE}"', hint=f'GRANT {ROLE} TO "{login}";'
            )
        # Some of them only while the login is itself.
        cursor.execute(STATEMENTS["silence"])
        cursor.execute(STATEMENTS["become"], {"role": ROLE})


def about(cursor: Cursor, subject: int, after: str | None = None) -> Mapping[str, Any]:
    """Tell the session whom it is about, and return the parameters that stand for them in statements."""
    cursor.execute(STATEMENTS["about"], {"subject": str(subject), "after": after or ""})
    return {"subject": SUBJECT, "after": AFTER if after else None}


def patiently(connection: Connection, work: Callable[[Cursor], _Given]) -> _Given:
    """Return what *work* does in one transaction; tried again where others were in the way.

    Raises:
        LockError: they were each time.
    """
    chance = random.Random()  # noqa: S311  (jitter, not a secret)
    for pause_s in _PATIENCE.pauses_s(chance):
        try:
            return once(connection, work)
        except psycopg2.Error as error:
            if error.pgcode not in RETRYABLE:
                raise
        time.sleep(pause_s)
    return once(connection, work)


def lightly(connection: Connection, work: Callable[[Cursor], _Given]) -> _Given:
    """Return what *work* does, as `patiently`; its end does not wait for the disk.

    For what goes on to a state that is waited for: a server that loses this has lost what came behind it too.
    """

    def at_ease(cursor: Cursor) -> _Given:
        cursor.execute("SET LOCAL synchronous_commit = off")
        return work(cursor)

    return patiently(connection, at_ease)


def once(connection: Connection, work: Callable[[Cursor], _Given]) -> _Given:
    """Return what *work* does in one transaction, committed when it has."""
    with connection, connection.cursor() as cursor:
        return work(cursor)
