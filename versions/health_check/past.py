"""One value of an earlier run, as a history keeps it. Frozen, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from spotify_ai_agent_migrations.versions.health_check.finding import State, Subject


@dataclass(frozen=True)
class Past:
    """What a check measured of a subject at a time, and the state that it was in.

    `database` is that of its report. One a run is of the check `run`: how the run ended, how long it took,
    and in the name of its subject the checks that were answered.
    """

    taken_at: datetime
    check: str
    subject: Subject
    measure: float | None
    state: State
    fingerprint: str
    database: str = ""
    unit: str = ""
