"""Try again what failed only because others were in the way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from spotify_ai_agent_migrations.versions.core.database import (
    DEADLOCK_DETECTED,
    LOCK_NOT_AVAILABLE,
    SERIALIZATION_FAILURE,
)

# A statement time-out or a broken constraint would fail again, or worse, half succeed.
RETRYABLE = frozenset({LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED, SERIALIZATION_FAILURE})


@dataclass(frozen=True)
class Patience:
    """How often to try, and how long to pause between: doubling from `base_s` to `most_s`, with jitter."""

    tries: int = 8
    base_s: float = 0.5
    most_s: float = 8.0

    def pauses_s(self, chance: random.Random) -> Iterator[float]:
        """Yield the pauses between the tries; one fewer than the tries."""
        for attempt in range(self.tries - 1):
            longest = min(self.base_s * 2**attempt, self.most_s)
            # Half fixed, half random: processes that collided once do not collide again.
            yield longest / 2 + chance.random() * longest / 2
