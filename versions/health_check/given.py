"""What a run is given beside the server: earlier measures, and what the settings should be. No database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import Check
from spotify_ai_agent_migrations.versions.health_check.checks_history import EXPECTED, HISTORY
from spotify_ai_agent_migrations.versions.health_check.past import Past

_VERB: Final = MappingProxyType({HISTORY: "was", EXPECTED: "were"})


@dataclass(frozen=True)
class Given:
    """What earlier runs measured, and settings with what they should be; None of what was not given."""

    history: Sequence[Past] | None = None
    expected: Mapping[str, str] | None = None

    def lacks(self, check: Check) -> str:
        """Say what *check* wants and was not given; nothing where it has all that it wants."""
        missing = {HISTORY: self.history is None, EXPECTED: self.expected is None}
        return f"no {check.wants} {_VERB[check.wants]} given" if missing.get(check.wants) else ""

    def told(self, check: Check) -> Check:
        """Return *check* with what it has to be told of this."""
        if check.wants != EXPECTED or self.expected is None:
            return check
        return replace(check, settings={**check.settings, "expected": json.dumps(dict(self.expected))})
