"""The sub-command `health-check`, and the script of its revision: flags in, a report out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from spotify_ai_agent_migrations.versions.core.errors import MigrationError, SettingsError
from spotify_ai_agent_migrations.versions.health_check.outputs import FORMATS, Extra
from spotify_ai_agent_migrations.versions.health_check.outputs.exits import (
    EXIT_CRASH,
    EXIT_USAGE,
    FailOn,
    exit_code,
)
from spotify_ai_agent_migrations.versions.health_check.outputs.placing import placed
from spotify_ai_agent_migrations.versions.health_check.run import DEADLINE_S, Limits, check_health

EXIT_CODES = (
    "Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown and nothing worse, 64 usage or settings, "
    "70 the check itself failed."
)


class Format(str, Enum):
    """What `--format` accepts."""

    TEXT = "text"
    JSON = "json"


@contextmanager
def _coded_usage() -> Iterator[None]:
    """Let an error of usage end with 64: Typer's own 2 would be read as critical."""
    try:
        yield
    except Exception as error:
        if getattr(error, "exit_code", None) == 2:
            vars(error)["exit_code"] = EXIT_USAGE
        raise


class _Command(TyperCommand):
    """A command whose errors of usage have a code of their own."""

    def make_context(self, *given: Any, **more: Any) -> Any:  # noqa: ANN401  (Typer's own types, of its version)
        """Read the options."""
        with _coded_usage():
            return super().make_context(*given, **more)


class _Group(TyperGroup):
    """A group of which `check` is meant where no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  (Typer's own types, of its version)
        """Find the command that is meant."""
        named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named else ["check", *args])


@contextmanager
def _coded_errors() -> Iterator[None]:
    """Show what kept the server from being asked, and end with a code that no state of a server has."""
    try:
        yield
    except MigrationError as error:
        typer.echo(f"error: {error.problem}\nHint: {error.hint}", err=True)
        raise typer.Exit(EXIT_USAGE if isinstance(error, SettingsError) else EXIT_CRASH) from error


def check(
    *,
    written: Annotated[
        Format | None, typer.Option("--format", "-f", help="How to write the report. [default: text]")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file, whole or not at all."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="CHECK", help="A check, a group or a pattern: conn.usage, conn, 'idx.*'."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="CHECK", help="The same, to be left out.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read the data too: amcheck, orphans, bloat.")] = False,
    deadline_s: Annotated[
        float,
        typer.Option("--deadline", metavar="SECONDS", min=0.05, help="Answer by then, whatever happens."),
    ] = DEADLINE_S,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", metavar="CHECK=WARN,CRIT", help="Other limits; conn.usage=0.7, has no second."
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="From which state on the exit code is not 0.")
    ] = FailOn.WARNING,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="The database; else DATABASE_URL, else .env.")
    ] = None,
) -> None:
    """Ask the server how it is; reads only, and answers by the deadline whatever the server does."""
    with _coded_errors():
        report = check_health(
            url=url, only=only, exclude=exclude or (), deep=deep, deadline_s=deadline_s, limits=_limits(limit)
        )
        shown = FORMATS[(written or Format.TEXT).value](report, Extra(datetime.now(timezone.utc)))
        if output is None:
            typer.echo(shown, nl=False)
        else:
            placed(output, shown)
    raise typer.Exit(exit_code(report, fail_on))


def _limits(spoken: list[str] | None) -> Limits:
    return dict(map(_limit, spoken or ()))


def _limit(spoken: str) -> tuple[str, tuple[float | None, float | None]]:
    """Return the check and the limits that CHECK=WARN,CRIT names.

    Raises:
        SettingsError: it is written otherwise.
    """
    name, _, limits = spoken.partition("=")
    warning, comma, critical = limits.partition(",")
    try:
        both = tuple(float(one) if one.strip() else None for one in (warning, critical))
    except ValueError:
        both = ()
    if not comma or len(both) != 2:
        raise SettingsError(
            f'"--limit {spoken}" has no two limits',
            hint="say --limit conn.usage=0.7,0.9; either may be empty",
        )
    return name, both


# `python versions/009_health_check.py`: the check, and both directions of the revision beside it.
script = typer.Typer(
    cls=_Group, epilog=EXIT_CODES, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False
)
script.command("check", cls=_Command, epilog=EXIT_CODES)(check)


@script.callback()
def room() -> None:
    """Ask the server how it is: `check` is meant where no command is named."""


def mounted(app: typer.Typer) -> None:
    """Make the check a command of *app*."""
    app.command("health-check", cls=_Command, epilog=EXIT_CODES)(check)
