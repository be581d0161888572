"""Write to the trail that somebody looked at what is held about a person: which table, never a value.

An entry names the person by pseudonym. It is committed before the look, on a connection of its own: the
reading transaction may only read, and a look that fails half-way was a look.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.database import open_connection, translated
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.export")
_DOING: Final = "recording the look in the audit trail"


class Looks:
    """The entries about one person, for one request of theirs or none."""

    def __init__(self, connection: Connection, subject: int, request: int | None) -> None:
        self._connection = connection
        self._subject = subject
        self._request = request

    def record(self, action: str, kind: str, keys: Sequence[str]) -> None:
        """Write one entry for each of *keys*, and commit them; an export is an event of its request too.

        Raises:
            MigrationError: the trail did not take them, or the request was answered meanwhile.
        """
        with translated(_DOING), self._connection, self._connection.cursor() as cursor:
            for key in keys:
                values = {"kind": kind, "action": action, "subject": self._subject, "key": key}
                cursor.execute(_SQL["look"], {**values, "request": self._request or 0})
                if action == "export" and self._request is not None:
                    cursor.execute(
                        _SQL["answer"], {"request": self._request, "done": f"exported under {key}"}
                    )


@contextmanager
def looks(settings: Settings, subject: int, *, request: int | None, purpose: str) -> Iterator[Looks]:
    """Open the trail for looks at *subject*; `request` is what they are for, where there is a request."""
    with closing(open_connection(settings, purpose=purpose, actor="admin")) as connection:
        yield Looks(connection, subject, request)
