"""Write a report in one of several forms. Pure: a report in, a string out; none asks the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.health_check.finding import HealthReport
from spotify_ai_agent_migrations.versions.health_check.outputs.as_json import as_json
from spotify_ai_agent_migrations.versions.health_check.outputs.extra import Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.text import text

__all__ = ["FORMATS", "Extra"]

FORMATS: Final[Mapping[str, Callable[[HealthReport, Extra], str]]] = MappingProxyType(
    {"text": text, "json": as_json}
)
