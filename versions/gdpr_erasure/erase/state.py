"""Read how far an erasure has come, and tell the database that it has come further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import State
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, SUBJECT

_FIELDS: Final = (
    "id", "subject", "subject_ref", "completes", "request", "reason", "requested_at", "state", "plan_hash",
    "hidden_at", "hidden_xid", "erased_at", "swept_at", "certificate",
)  # fmt: skip


@dataclass(frozen=True)
class Erasure:
    """An erasure that has begun.

    plan_hash: of the plan it began with. certificate: letter by letter, once it has one.
    """

    id: UUID
    subject: int
    subject_ref: UUID
    completes: UUID | None
    request: int | None
    reason: str
    requested_at: datetime
    state: State
    plan_hash: str
    hidden_at: datetime
    hidden_xid: int
    erased_at: datetime | None
    swept_at: datetime | None
    certificate: str | None


@dataclass(frozen=True)
class Progress:
    """How far one step has come: `after` is the key of the last row done, JSON."""

    done: int = 0
    swept: int = 0
    after: str | None = None
    is_over: bool = False


def begun(cursor: Cursor, completes: UUID | None = None) -> Erasure | None:
    """Return the erasure of the person whom the session is about, or the one that completes another."""
    return _one(cursor, "begun", {"subject": SUBJECT, "completes": completes and str(completes)})


def erasure(cursor: Cursor, number: UUID) -> Erasure | None:
    """Return the erasure of that *number*."""
    return _one(cursor, "erasure", {"erasure": str(number)})


def unfinished(cursor: Cursor) -> tuple[UUID, ...]:
    """Return the erasures without a certificate, the oldest first."""
    cursor.execute(STATEMENTS["unfinished"])
    return tuple(UUID(str(number)) for (number,) in cursor.fetchall())


def progress(cursor: Cursor, number: UUID) -> Mapping[int, Progress]:
    """Return how far each step of an erasure has come, by its position."""
    cursor.execute(STATEMENTS["progress"], {"erasure": str(number)})
    return {position: Progress(*values) for position, *values in cursor.fetchall()}


def _one(cursor: Cursor, name: str, values: Mapping[str, Any]) -> Erasure | None:
    cursor.execute(STATEMENTS[name], values)
    row = cursor.fetchone()
    if row is None:
        return None
    found = dict(zip(_FIELDS, row, strict=True))
    for called in ("id", "subject_ref", "completes"):
        found[called] = UUID(found[called]) if found[called] else None
    return Erasure(**{**found, "state": State(found["state"])})
