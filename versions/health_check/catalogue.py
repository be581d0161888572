"""Every check: what it asks, why that matters, and from where on it is bad. No database."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.health_check.checks_access import ACCESS
from spotify_ai_agent_migrations.versions.health_check.checks_application import APPLICATION
from spotify_ai_agent_migrations.versions.health_check.checks_replication import REPLICATION
from spotify_ai_agent_migrations.versions.health_check.checks_schema import SCHEMA
from spotify_ai_agent_migrations.versions.health_check.checks_server import SERVER
from spotify_ai_agent_migrations.versions.health_check.checks_tables import TABLES

CHECKS: Final = (*SERVER, *REPLICATION, *TABLES, *SCHEMA, *ACCESS, *APPLICATION)
