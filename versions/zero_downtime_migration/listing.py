"""List the online changes there are, and how far each has come; takes no lock that anybody waits for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import admission, ledger
from spotify_ai_agent_migrations.versions.zero_downtime_migration.contract import Missing
from spotify_ai_agent_migrations.versions.zero_downtime_migration.durations import lasting
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import ENDED, State
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened
from spotify_ai_agent_migrations.versions.zero_downtime_migration.terms import Terms


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
    revision: str | None
    open_s: float | None
    missing: tuple[Missing, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do."""
        return State(self.state) in ENDED

    @property
    def line(self) -> str:
        """All that matters of it on one line."""
        parts = [f"{self.id} {self.operation} {self.table} {self.subject}: {self.state}"]
        if self.open_s is not None:
            parts.append(f"open for {lasting(self.open_s)}")
            parts.append(f"{self.steps_done} of {self.steps} steps")
            parts += [f"{self.rows_walked} of about {self.rows} rows"] if self.rows else []
            parts += [f"at: {self.at}"] if self.at else []
            parts += ["its backfill is asked to " + self.asked] if self.asked != "go" else []
        return ", ".join(parts)

    @property
    def lines(self) -> tuple[str, ...]:
        """The line of it, and one for all that stands against its completion."""
        return (self.line, *(f"    missing: {one.problem}; {one.hint}" for one in self.missing))


def listed(*, settings: Settings | None = None) -> tuple[Listed, ...]:
    """Return the changes, the last one first; none where there is no ledger yet.

    What is missing for the completion of an open one is by the terms of the environment, and by what was
    proven last: no table is read.
    """
    given = settings or resolve_settings()
    with translated(), opened(given, "agentdb zero-downtime") as connection:
        session = Session(connection)
        if not session.value("has_ledger"):
            return ()
        terms = Terms().under(given.environment, {**read_dotenv(), **os.environ})
        return tuple(_judged(session, Listed(*row), terms) for row in session.ask("listed"))


def _judged(session: Session, one: Listed, terms: Terms) -> Listed:
    """Add what stands against the completion of a change that is open and goes on."""
    if one.ended or State(one.state) is State.ABORTING:
        return one
    change = ledger.by_number(session, one.id)
    if change.is_contracting() or not change.contracts():
        return one
    return replace(one, missing=admission.verdict(session, change, terms).missing)


def as_json(changes: Iterable[Listed]) -> str:
    """Return the changes as JSON, a list."""
    return json.dumps([asdict(one) for one in changes], default=datetime.isoformat, indent=2)
