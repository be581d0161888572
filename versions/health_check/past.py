"""One value of an earlier run, as a history keeps it. Frozen, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from spotify_ai_agent_migrations.versions.health_check.finding import State, Subject


@dataclass(frozen=True)
class Past:
    """What a check measured of a subject at a time, and the state that it was in."""

    taken_at: datetime
    check: str
    subject: Subject
    measure: float | None
    state: State
    fingerprint: str
