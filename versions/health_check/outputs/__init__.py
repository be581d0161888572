"""Write a report in one of several forms. Pure: a report in, a string out; none asks the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport
from spotify_ai_agent_migrations.versions.health_check.outputs.as_json import as_json
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.health_json import health_json
from spotify_ai_agent_migrations.versions.health_check.outputs.html import html
from spotify_ai_agent_migrations.versions.health_check.outputs.junit import junit
from spotify_ai_agent_migrations.versions.health_check.outputs.markdown import markdown
from spotify_ai_agent_migrations.versions.health_check.outputs.metrics import openmetrics, prometheus
from spotify_ai_agent_migrations.versions.health_check.outputs.nagios import nagios
from spotify_ai_agent_migrations.versions.health_check.outputs.sarif import sarif
from spotify_ai_agent_migrations.versions.health_check.outputs.table import table
from spotify_ai_agent_migrations.versions.health_check.outputs.text import text

__all__ = ["FORMATS", "Extra"]

FORMATS: Final[Mapping[str, Callable[[HealthReport, Extra], str]]] = MappingProxyType(
    {
        "table": table, "text": text, "json": as_json, "health+json": health_json, "prometheus": prometheus,
        "openmetrics": openmetrics, "nagios": nagios, "junit": junit, "sarif": sarif, "markdown": markdown,
        "html": html,
    }
)  # fmt: skip
