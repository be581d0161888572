"""The command lines: `agentdb`, `python versions/NNN_slug.py`, and what `alembic` shows when it fails.

Mounts the rooms. The only place that prints errors and chooses exit codes:
0 done, 1 refused or failed, 2 usage or settings, 3 governance findings or stale documentation.
Each is loaded when it is asked for: `alembic upgrade` needs no room.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.cli.agentdb import main
    from spotify_ai_agent_migrations.versions.cli.environment import environment_main
    from spotify_ai_agent_migrations.versions.cli.revision import revision_main

__all__ = ["environment_main", "main", "revision_main"]

_HOMES: Final = MappingProxyType(
    {"environment_main": "environment", "main": "agentdb", "revision_main": "revision"}
)


def __getattr__(name: str) -> Any:  # noqa: ANN401  (one of three functions)
    """Load a command line when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
