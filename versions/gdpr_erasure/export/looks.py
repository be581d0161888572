"""Write to the trail that somebody looked at what is held about a person: which table, never a value.

An entry names the person by pseudonym. It is committed before the look, on a connection of its own: the
reading transaction may only read, and a look that fails half-way was a look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final
from uuid import UUID

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.database import open_connection, translated
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.export")
_DOING: Final = "recording the look in the audit trail"


class Looks:
    """The entries of one request, about one person."""

    def __init__(self, connection: Connection, subject: int) -> None:
        self._connection = connection
        self._subject = subject

    def record(self, action: str, kind: str, keys: Sequence[str]) -> None:
        """Write one entry for each of *keys*, and commit them together.

        Raises:
            MigrationError: the trail did not take them.
        """
        with translated(_DOING), self._connection, self._connection.cursor() as cursor:
            for key in keys:
                cursor.execute(
                    _SQL["look"], {"kind": kind, "action": action, "subject": self._subject, "key": key}
                )


@contextmanager
def looks(settings: Settings, subject: int, *, request: UUID | None, purpose: str) -> Iterator[Looks]:
    """Open the trail for looks at *subject*; `request` is what they are for, where there is a request."""
    with closing(open_connection(settings, purpose=purpose, actor="admin")) as connection:
        if request is not None:
            with translated(_DOING), connection, connection.cursor() as cursor:
                cursor.execute(_SQL["name_request"], {"request": str(request)})
        yield Looks(connection, subject)
