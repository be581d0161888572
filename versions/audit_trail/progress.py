"""Say how far the trail is sealed, and how far its digests have got."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from spotify_ai_agent_migrations.versions.audit_trail.reading import QUERIES, reading
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings


@dataclass(frozen=True, slots=True)
class Told:
    """The last seal that arrived at a sink, and when."""

    sink: str
    seal_id: int
    anchored_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """The last seal, None where there is none, what waits for the next, and where digests arrived."""

    last_seal_id: int | None
    epoch: int | None
    sealed_at: datetime | None
    key_id: str | None
    waiting_entries: int
    waiting_s: float
    sinks: tuple[Told, ...]


def status(url: str | None = None) -> Status:
    """Return how far the trail is sealed; reads the seals, and the entries that wait for one."""
    with (
        reading(resolve_settings(url), purpose="agentdb audit-trail status") as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(QUERIES["status_seals"])
        number, epoch, sealed_at, horizon, key_id = cursor.fetchone() or (None, None, None, "0", None)
        cursor.execute(QUERIES["status_waiting"], {"horizon": horizon})
        waiting, waiting_s = cursor.fetchone() or (0, 0.0)
        cursor.execute(QUERIES["status_anchors"])
        sinks = tuple(Told(*row) for row in cursor.fetchall())
    return Status(number, epoch, sealed_at, key_id, waiting, waiting_s, sinks)
