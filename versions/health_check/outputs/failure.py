"""What is said, and with which exit code, where the server could not be asked at all. No database."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from spotify_ai_agent_migrations.versions.core.errors import MigrationError, SettingsError
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import (
    EXIT_CRASH,
    EXIT_UNKNOWN,
    EXIT_USAGE,
)
from spotify_ai_agent_migrations.versions.health_check.outputs.nagios import refusal


@dataclass(frozen=True)
class Failure:
    """What goes to standard error, what to standard output, and the exit code."""

    told: str
    written: str
    code: int


def failure(error: Exception, *, is_plugin: bool) -> Failure:
    """Return how to end with *error*; a plugin of Nagios has 3 alone, and standard output."""
    problem, hint = _lines(error)
    own = EXIT_USAGE if isinstance(error, SettingsError) else EXIT_CRASH
    code = EXIT_UNKNOWN if is_plugin else own
    return Failure(f"error: {problem}\nHint: {hint}", refusal(problem) if is_plugin else "", code)


def _lines(error: Exception) -> tuple[str, str]:
    if isinstance(error, MigrationError):
        return error.problem, error.hint
    # The message of an error that nobody foresaw may hold anything: a password, a value of a row.
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}:{last.lineno}"
    return (
        f"the check itself failed: {type(error).__name__} in {where}",
        "nothing is known of the server; tell the maintainers this line",
    )
