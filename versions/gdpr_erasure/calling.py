"""Ask the database one thing, in a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries

SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure")
_PURPOSE: Final = "agentdb gdpr-erasure"


@contextmanager
def asked(url: str | None, *, signed_in: int | None = None) -> Iterator[Cursor]:
    """Yield a cursor whose transaction is committed at the end of the block.

    signed_in: the person on whose behalf it is asked, as the application does; without, the login acts as a
        service, and the server refuses what row security would filter silently.
    """
    settings = resolve_settings(url)
    with (
        connect(settings, purpose=_PURPOSE, row_security=signed_in is not None) as connection,
        connection.cursor() as cursor,
    ):
        if signed_in is not None:
            cursor.execute(SQL["sign_in"], {"person": str(signed_in)})
        yield cursor


def answer(
    name: str, values: Mapping[str, object], *, url: str | None = None, signed_in: int | None = None
) -> Any:  # noqa: ANN401  (whatever the statement returns)
    """Return the one value that the statement *name* gives."""
    with asked(url, signed_in=signed_in) as cursor:
        cursor.execute(SQL[name], values)
        row = cursor.fetchone()
    return row[0] if row else None


def rows(
    name: str, values: Mapping[str, object], *, url: str | None = None, signed_in: int | None = None
) -> list[tuple[Any, ...]]:
    """Return the rows that the statement *name* gives."""
    with asked(url, signed_in=signed_in) as cursor:
        cursor.execute(SQL[name], values)
        return cursor.fetchall()


def instant(at: datetime | None) -> datetime | None:
    """Return *at*, which is an instant only with its time zone.

    Raises:
        SettingsError: it has none.
    """
    if at is not None and at.tzinfo is None:
        raise SettingsError(
            "a time without its zone is no instant", hint="write it as 2026-01-31T12:00:00+00:00"
        )
    return at


def read_instant(written: str | None) -> datetime | None:
    """Return the instant that is *written*, as 2026-01-31T12:00:00+01:00; None is none.

    Raises:
        SettingsError: it is none, or has no time zone.
    """
    if written is None:
        return None
    try:
        # `Z` is read from Python 3.11 on.
        return instant(datetime.fromisoformat(f"{written[:-1]}+00:00" if written.endswith("Z") else written))
    except ValueError as error:
        raise SettingsError(
            f'"{written}" is no instant', hint="write it as 2026-01-31T12:00:00+00:00"
        ) from error
