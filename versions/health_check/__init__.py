"""Ask a server how it is: bounded, read-only, and never a false all-clear."""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.health_check.finding import (
    Finding,
    Fix,
    HealthReport,
    Measured,
    Ran,
    State,
    Subject,
    Suppressed,
)
from spotify_ai_agent_migrations.versions.health_check.past import Past
from spotify_ai_agent_migrations.versions.health_check.recording import Recording
from spotify_ai_agent_migrations.versions.health_check.run import check_health
from spotify_ai_agent_migrations.versions.health_check.stores import store
from spotify_ai_agent_migrations.versions.health_check.suppressions import Suppression

__all__ = [
    "Finding",
    "Fix",
    "HealthReport",
    "Measured",
    "Past",
    "Ran",
    "Recording",
    "State",
    "Subject",
    "Suppressed",
    "Suppression",
    "check_health",
    "store",
]
