"""The sub-command `distribution`: flags in, lines out."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS
from spotify_ai_agent_migrations.versions.distribution.formats import FORMATS
from spotify_ai_agent_migrations.versions.distribution.placement import SUBJECT
from spotify_ai_agent_migrations.versions.distribution.run import lint, map_tables, read_lines, write_plan

_EXIT_CODES = "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 findings of error level."

app = typer.Typer(
    name="distribution",
    help="What Citus would ask of this schema, and in which order it would be distributed. Needs no Citus.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
)


class Format(str, Enum):
    """What `--format` accepts."""

    TEXT = "text"
    JSON = "json"


_Map = Annotated[
    Path | None,
    typer.Option("--map", metavar="FILE", help="Where tables live, one a line, as `map` prints them."),
]
_Places = Annotated[
    list[str] | None,
    typer.Option(
        "--place",
        metavar="LINE",
        help="One more such line, which wins: 'listens distributed by user_id with users'.",
    ),
]
_Subject = Annotated[
    str, typer.Option("--subject", metavar="COLUMN", help="The column that tells whose row it is.")
]
_Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="The database; else DATABASE_URL, else .env."),
]


@app.command("lint", epilog=_EXIT_CODES)
def lint_(
    *,
    map_: _Map = None,
    place: _Places = None,
    subject: _Subject = SUBJECT,
    url: _Url = None,
    written: Annotated[
        Format, typer.Option("--format", "-f", help="How to write the findings.")
    ] = Format.TEXT,
) -> None:
    """List what would have to change before the tables could be distributed."""
    report = lint(read_lines(map_, place or ()), subject=subject, url=url)
    typer.echo(FORMATS[written.value](report), nl=False)
    if report.failed:
        raise typer.Exit(EXIT_FINDINGS)


@app.command("map", epilog=_EXIT_CODES)
def map_command(
    *, map_: _Map = None, place: _Places = None, subject: _Subject = SUBJECT, url: _Url = None
) -> None:
    """Print where each table would live; the output is a map to edit and give back."""
    for line in map_tables(read_lines(map_, place or ()), subject=subject, url=url):
        typer.echo(line)


@app.command("plan", epilog=_EXIT_CODES)
def plan(*, map_: _Map = None, place: _Places = None, subject: _Subject = SUBJECT, url: _Url = None) -> None:
    """Print the SQL that would distribute the tables, in order, for a DBA to read; executes none of it.

    Ends with 3 where something stands in the way that the plan itself does not remove; its head says what.
    """
    written = write_plan(read_lines(map_, place or ()), subject=subject, url=url)
    typer.echo(written.sql, nl=False)
    if written.unmended:
        raise typer.Exit(EXIT_FINDINGS)
