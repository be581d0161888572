"""What differs between the schema and the one that the journal knows, and the SQL that takes it back.

    find_drift(connection)      read-only; the catalogue as it is, compared with what was journaled last
    repairs(drift.differences)  the statements; nothing is executed

When: before every migration (only said in development, refused in production), and on demand.
Locks: none but ACCESS SHARE on the catalogue.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.runner.drift.difference import Difference, differences
from spotify_ai_agent_migrations.versions.runner.drift.repair import repairs
from spotify_ai_agent_migrations.versions.runner.drift.settle import (
    Drift,
    accept_schema,
    find_drift,
    settle_drift,
)

__all__ = ["Difference", "Drift", "accept_schema", "differences", "find_drift", "repairs", "settle_drift"]
