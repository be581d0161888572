"""The command lines: `agentdb`, `python versions/NNN_slug.py`, and what `alembic` shows when it fails.

Mounts the rooms. The only place that prints errors and chooses exit codes:
0 done, 1 refused or failed, 2 usage or settings, 3 governance findings or stale documentation; but for
`health-check`, whose 0 to 3 say how the server is.
Each is loaded when it is asked for: `alembic upgrade` needs no room.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from spotify_ai_agent_migrations.versions.cli.agentdb import main
    from spotify_ai_agent_migrations.versions.cli.environment import environment_main
    from spotify_ai_agent_migrations.versions.cli.revision import revision_main

__all__ = ["end_unchecked", "environment_main", "main", "revision_main"]

_HOMES: Final = MappingProxyType(
    {"environment_main": "environment", "main": "agentdb", "revision_main": "revision"}
)


def __getattr__(name: str) -> Any:  # noqa: ANN401  (one of three functions)
    """Load a command line when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except Exception as error:
        if sys.argv[1:2] == ["health-check"]:
            end_unchecked(error)
        raise


def end_unchecked(error: Exception) -> NoReturn:
    """End with a code that says nothing of a server: Python's own 1 would be read as a warning."""
    said = f"the check itself cannot be loaded: {type(error).__name__}"
    if any("nagios" in word for word in sys.argv[2:]):
        sys.stdout.write(f"HEALTH UNKNOWN - {said}\n")
        raise SystemExit(3) from None
    sys.stderr.write(f"error: {said}\nHint: `python -m {__package__}.agentdb` shows where\n")
    raise SystemExit(70) from None
