"""How a change is made: how long locks are waited for, who may be cancelled, who is told of each step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.core.retry import Patience
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.pace import Pace
from spotify_ai_agent_migrations.versions.zero_downtime_migration.terms import Terms

_PACE: Final = Pace()
_TERMS: Final = Terms()
_PATIENCE: Final = Patience(tries=60, base_s=0.1, most_s=5.0)


def _silent(_step: Step, _moment: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Manner:
    """How a change is made.

    A strong lock is waited for `first_lock_timeout_ms` at the first try, half as long again at each next one,
    never longer than `lock_timeout_ms`: readers and writers queue behind it for no longer. Behind a
    transaction that is older than `long_transaction_s` it is not waited for at all. `cancel` are the sessions
    in the way that may be cancelled: `"role:NAME"` or `"application:NAME"`; nobody else ever is.
    `alone_wait_ms` is how long a step that nobody waits for may itself wait for older transactions at one
    try, as the build of an index does that is made CONCURRENTLY. `lock_wait_ms` is how long another process
    may be at the same table. `told` is called with each step, at "begun", "done" and "waiting: …", and now
    and then with how far a backfill is. `pace` is how that goes. `terms` are those of a contract; `revision`
    is the first whose applications know the new form, None the one behind that of the database.
    """

    lock_timeout_ms: int = 500
    first_lock_timeout_ms: int = 50
    patience: Patience = _PATIENCE
    long_transaction_s: float = 1.0
    cancel: frozenset[str] = frozenset()
    alone_wait_ms: int = 1_800_000
    lock_wait_ms: int = 60_000
    told: Callable[[Step, str], None] = _silent
    pace: Pace = _PACE
    terms: Terms = _TERMS
    revision: str | None = None

    def lock_timeouts_ms(self) -> tuple[int, ...]:
        """Return how long the lock is waited for at each try."""
        found, longest = [], float(self.first_lock_timeout_ms)
        for _ in range(self.patience.tries):
            found.append(min(int(longest), self.lock_timeout_ms))
            longest *= 1.5
        return tuple(found)
