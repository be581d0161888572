"""A connection that knows the statements of this room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from spotify_ai_agent_migrations.versions.core.session import SPELLING, BriefSession, Row, opened
from spotify_ai_agent_migrations.versions.core.sql import queries

__all__ = ["SPELLING", "STATEMENTS", "Row", "Session", "opened"]

STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.zero_downtime_migration")
LONG: Final = "12h"


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
