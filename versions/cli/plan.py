"""`agentdb plan`: what the pending revisions would do, statement by statement."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.cli.report import interruptible, written
from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS
from spotify_ai_agent_migrations.versions.core.measurement import Verdict
from spotify_ai_agent_migrations.versions.runner import Options, plan_upgrade
from spotify_ai_agent_migrations.versions.runner.plan import FORMATS


class Format(str, Enum):
    """What `--format` accepts."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class FailOn(str, Enum):
    """What `--fail-on` accepts."""

    LONG = Verdict.LONG.value
    BRIEF = Verdict.BRIEF.value


def plan(
    revision: Annotated[str, typer.Argument(help="the last revision, as for alembic upgrade")] = "head",
    *,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="execute on a clone, which is dropped afterwards")
    ] = False,
    shown: Annotated[Format, typer.Option("--format", "-f", help="how to write it")] = Format.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="write to this file", dir_okay=False)
    ] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="exit with 3 if a statement is as bad, or not executed")
    ] = None,
    url: Annotated[str | None, typer.Option(help="in place of DATABASE_URL and .env")] = None,
) -> None:
    """Execute the pending revisions, say what each statement locks and works on, and roll them back.

    It takes the locks that the migration takes, for as long as all of it lasts; with --shadow, on a clone.

    Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 findings.
    """
    with interruptible():
        found = plan_upgrade(revision, Options(url=url, dry_run=True, shadow=shadow))
    written(FORMATS[shown.value](found), output)
    if fail_on is not None and found.fails(Verdict(fail_on.value)):
        raise typer.Exit(EXIT_FINDINGS)
