"""Show an error in two lines, and talk on standard error."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from psycopg2.extensions import set_wait_callback
from psycopg2.extras import wait_select

from spotify_ai_agent_migrations.versions.core.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    FileError,
    MigrationError,
)


def reported(command: Callable[[], object]) -> None:
    """Run *command*; on an error of ours or of Alembic's, show it and exit with its code."""
    try:
        command()
    except refusals() as error:
        raise SystemExit(report(error)) from error
    except KeyboardInterrupt:
        typer.echo("error: interrupted\nHint: what was not committed is undone", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it closes it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_FAILED) from None


def refusals() -> tuple[type[Exception], ...]:
    """Return the errors that say what was refused: ours, and Alembic's where anything has loaded it."""
    alembic = sys.modules.get("alembic.util.exc")
    return (MigrationError,) if alembic is None else (MigrationError, alembic.CommandError)


def report(error: Exception) -> int:
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


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end the statement that is running, instead of waiting for its end. No COPY in the block."""
    set_wait_callback(wait_select)
    try:
        yield
    finally:
        set_wait_callback(None)


def written(content: str, file: Path | None) -> None:
    """Write what a command has to say to *file*, or to standard output."""
    if file is None:
        typer.echo(content, nl=False)
        return
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be written: {error.strerror}', hint="name a file in a folder that exists"
        ) from error


def made_folder(folder: Path) -> None:
    """Make *folder*, with those above it, where it is not there yet."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f'"{folder}" cannot be made: {error.strerror}', hint="name a folder where you may write"
        ) from error


def write_utf8() -> None:
    """Write SQL as UTF-8 whatever the terminal speaks: the script says so to the server."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
