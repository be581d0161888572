"""Every check: what it asks, why that matters, and from where on it is bad. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.checks_access import ACCESS
from spotify_ai_agent_migrations.versions.health_check.checks_application import APPLICATION
from spotify_ai_agent_migrations.versions.health_check.checks_availability import AVAILABILITY
from spotify_ai_agent_migrations.versions.health_check.checks_declared import DECLARED
from spotify_ai_agent_migrations.versions.health_check.checks_duties import DUTIES
from spotify_ai_agent_migrations.versions.health_check.checks_history import COURSE
from spotify_ai_agent_migrations.versions.health_check.checks_migrations import SCHEMA_STATE
from spotify_ai_agent_migrations.versions.health_check.checks_replication import REPLICATION
from spotify_ai_agent_migrations.versions.health_check.checks_schema import SCHEMA
from spotify_ai_agent_migrations.versions.health_check.checks_server import SERVER
from spotify_ai_agent_migrations.versions.health_check.checks_tables import TABLES

CHECKS: Final = (
    *AVAILABILITY, *SERVER, *REPLICATION, *TABLES, *SCHEMA, *ACCESS, *APPLICATION, *SCHEMA_STATE, *DECLARED,
    *DUTIES, *COURSE,
)  # fmt: skip
