"""Checks of what only the owner of a server can say it should have: standbys, backups. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.check import PRIMARY, Check
from spotify_ai_agent_migrations.versions.health_check.grants import MONITOR

DECLARED: Final = (
    Check(
        "repl.expected_standbys", "standbys that should be there",
        "The one that is missing is the one that would take over.",
        "standby {name} is {state}",
        settings={"names": []}, told="names", watching=True,
    ),
    Check(
        "backup.freshness", "how old the last backup is",
        "What was written since is lost with the disk.",
        "the last backup that {source} knows of is {hours} h old",
        warning=26, critical=50, unit="hours", settings={"table": "", "column": ""}, probed=True,
        roles=PRIMARY, needs=MONITOR,
    ),
    Check(
        "set.memory", "memory settings that were left as they are made, or promise more than there is",
        "What does not fit is read again from the disk; and a server that takes too much is killed.",
        "{said}",
        settings={"least_times": 4.0, "most_times": 16.0, "least_bytes": 1 << 30},
    ),
)  # fmt: skip
