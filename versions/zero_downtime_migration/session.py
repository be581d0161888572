"""A connection that knows the statements of this room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Identifier, Literal

from spotify_ai_agent_migrations.versions.core import session
from spotify_ai_agent_migrations.versions.core.session import SPELLING, BriefSession, Row
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries

__all__ = ["SETTINGS", "STATEMENTS", "Row", "Session", "opened"]

STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.zero_downtime_migration")
LONG: Final = "12h"
# One process builds an index or reads a whole table: the other cores are left to the clients.
SETTINGS: Final = {
    **SPELLING,
    "max_parallel_maintenance_workers": "0",
    "max_parallel_workers_per_gather": "0",
}


@contextmanager
def opened(settings: Settings, purpose: str) -> Iterator[Connection]:
    """Open a connection as `core.session` does, whose statements have one process each."""
    with session.opened(settings, purpose) as connection:
        with connection.cursor() as cursor:
            for setting, value in SETTINGS.items():
                cursor.execute(SQL("SET {} = {}").format(Identifier(setting), Literal(value)))
        yield connection


class Session(BriefSession):
    """A connection in autocommit; see `core.session`."""

    named = STATEMENTS

    @contextmanager
    def waiting(self, wait_ms: int) -> Iterator[None]:
        """Let a statement of the block take hours, and wait so long for the locks of others."""
        with self._let_for(LONG, f"{wait_ms}ms"):
            yield

    def asked(self, statement: str, **values: object) -> str:
        """Return a named statement as it is sent."""
        with self.connection.cursor() as cursor:
            sent: bytes = cursor.mogrify(self.named[statement], values)
            return sent.decode().rstrip(";")


class Inside(Session):
    """The transaction of a migration, whose bounds hold for everything in it."""

    alone = False

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Leave the bounds as they are: everybody waits for what runs in it."""
        yield

    @contextmanager
    def waiting(self, wait_ms: int) -> Iterator[None]:
        """Leave the bounds as they are."""
        del wait_ms
        yield
