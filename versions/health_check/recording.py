"""Give a run what earlier ones measured, and keep what it measured; a history that fails stops no run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import MigrationError
from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport
from spotify_ai_agent_migrations.versions.health_check.history import remembered
from spotify_ai_agent_migrations.versions.health_check.past import Past
from spotify_ai_agent_migrations.versions.health_check.stores import Store

Ask = Callable[["Sequence[Past] | None", float], HealthReport]
_READ_MOST_S: Final = 2.0


@dataclass
class Recording:
    """A run with its history, if it has one: `problems` are what kept it from being read or written."""

    store: Store | None
    now: datetime
    problems: list[MigrationError] = field(default_factory=list)

    def asked(self, ask: Ask, *, deadline_s: float) -> tuple[HealthReport, Sequence[Past]]:
        """Return the report of *ask*, and what earlier runs and this one measured; by the deadline.

        *ask* is given the history, None where there is none, and the seconds that are left.
        """
        began = time.monotonic()
        past = self._read(min(_READ_MOST_S, deadline_s / 2))
        report = ask(past, max(0.0, deadline_s - (time.monotonic() - began)))
        return report, (*(past or ()), *(() if past is None else remembered(report, now=self.now)))

    def keep(self, report: HealthReport) -> None:
        """Add what *report* measured to the history, where that could be read."""
        if self.store is not None and not self.problems:
            try:
                self.store.add(remembered(report, now=self.now), now=self.now)
            except MigrationError as error:
                self.problems.append(error)

    def _read(self, deadline_s: float) -> Sequence[Past] | None:
        if self.store is None:
            return None
        try:
            return self.store.read(now=self.now, deadline_s=deadline_s)
        except MigrationError as error:
            self.problems.append(error)
            return []
