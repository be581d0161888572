"""List the online changes there are, and how far each has come; takes no lock that anybody waits for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import ENDED, State
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened


@dataclass(frozen=True)
class Listed:
    """A change: `steps_done` of `steps` are over, `at` are those at work; the rows are of its backfills."""

    id: int
    operation: str
    table: str
    subject: str
    state: str
    asked: str
    started_at: datetime
    finished_at: datetime | None
    steps: int
    steps_done: int
    at: str
    rows_walked: int
    rows_written: int
    rows: int

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do."""
        return State(self.state) in ENDED

    @property
    def line(self) -> str:
        """All that matters of it on one line."""
        parts = [f"{self.id} {self.operation} {self.table} {self.subject}: {self.state}"]
        if not self.ended:
            parts.append(f"{self.steps_done} of {self.steps} steps")
            parts += [f"{self.rows_walked} of about {self.rows} rows"] if self.rows else []
            parts += [f"at: {self.at}"] if self.at else []
            parts += ["its backfill is asked to " + self.asked] if self.asked != "go" else []
        return ", ".join(parts)


def listed(*, settings: Settings | None = None) -> tuple[Listed, ...]:
    """Return the changes, the last one first; none where there is no ledger yet."""
    with translated(), opened(settings or resolve_settings(), "agentdb zero-downtime") as connection:
        session = Session(connection)
        if not session.value("has_ledger"):
            return ()
        return tuple(Listed(*row) for row in session.ask("listed"))


def as_json(changes: Iterable[Listed]) -> str:
    """Return the changes as JSON, a list."""
    return json.dumps([asdict(one) for one in changes], default=datetime.isoformat, indent=2)
