"""Read an expression as a trigger will, by its search_path, before any write depends on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.trial import rolled_back


@contextmanager
def as_fired(session: Session) -> Iterator[None]:
    """Look names up where a trigger does for the block, whose writes are taken back."""
    with rolled_back(session):
        session.run("SET LOCAL search_path = pg_catalog, pg_temp")
        yield


def nothing_of(session: Session, columns: Sequence[tuple[str, str]]) -> Composable:
    """Return NULL for each of *columns*, a name and a type, which is written in full."""
    typed = [
        (name, session.value(SQL("SELECT pg_catalog.pg_typeof(NULL::{})::oid").format(SQL(kind))))
        for name, kind in columns
    ]
    with as_fired(session):
        full = [
            (name, session.value(SQL("SELECT pg_catalog.format_type({}, NULL)").format(Literal(oid))))
            for name, oid in typed
        ]
    return SQL(", ").join(SQL("NULL::{} AS {}").format(SQL(kind), Identifier(name)) for name, kind in full)
