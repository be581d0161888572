"""What some outputs need beside the report. Frozen, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from spotify_ai_agent_migrations.versions.health_check.past import Past


@dataclass(frozen=True)
class Extra:
    """When the report was made, what earlier ones had measured, and how wide a terminal is that shows it."""

    now: datetime
    history: Sequence[Past] = ()
    width_columns: int = 100
    is_colored: bool = False
