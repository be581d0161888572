"""Show an error in two lines, and talk on standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

import typer
from alembic.util import CommandError

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FAILED, MigrationError


def reported(command: Callable[[], object]) -> None:
    """Run *command*; on an error of ours or of Alembic's, show it and exit with its code."""
    try:
        command()
    except CommandError as error:
        raise SystemExit(report(error)) from error


def report(error: CommandError) -> int:
    """Write the problem and the hint of *error* to standard error; return the exit code."""
    if isinstance(error, MigrationError):
        typer.echo(f"error: {error.problem}\nHint: {error.hint}", err=True)
        return error.exit_code
    problem = " ".join(str(error).split())
    typer.echo(f"error: {problem}\nHint: `alembic history` lists the revisions", err=True)
    return EXIT_FAILED


def talk_on_stderr() -> None:
    """Show what the package and Alembic log, as plain lines on standard error."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    for name in ("alembic", "spotify_ai_agent_migrations"):
        logging.getLogger(name).setLevel(logging.INFO)
    # Alembic also announces its dialect, which is always the same here.
    logging.getLogger("alembic.runtime.migration").addFilter(
        lambda said: said.getMessage().startswith("Running")
    )
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)
