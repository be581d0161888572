"""Read what a person is told beside the data: purposes, retention, recipients, who answers for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.accounting import Controller

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.export")


@dataclass(frozen=True)
class Kept:
    """How long rows are kept, counted from a column, and what happens then."""

    column: str
    months: int
    days: int
    action: str


@dataclass(frozen=True)
class Recipient:
    """Who else is given data."""

    name: str
    kind: str
    purpose: str
    country: str
    safeguards: str | None
    categories: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """All of it. Rules of retention go by table and rule; titles by table."""

    purposes: Mapping[str, str]
    retention: Mapping[tuple[str, str], Kept]
    recipients: tuple[Recipient, ...]
    controller: Controller | None
    titles: Mapping[str, str]


def read_facts(cursor: Cursor, tables: list[str]) -> Facts:
    """Return what is told of *tables*; the transaction of *cursor* is used, and only read."""
    cursor.execute(_SQL["purposes"])
    purposes = dict(cursor.fetchall())
    cursor.execute(_SQL["retention"])
    retention = {(table, rule): Kept(*rest) for table, rule, *rest in cursor.fetchall()}
    cursor.execute(_SQL["recipients"])
    recipients = tuple(Recipient(*row) for row in cursor.fetchall())
    cursor.execute(_SQL["controller"])
    found = cursor.fetchone()
    cursor.execute(_SQL["titles"], {"tables": tables})
    titles = {table: comment or table for table, comment in cursor.fetchall()}
    return Facts(purposes, retention, recipients, Controller(*found) if found else None, titles)
