"""The sub-commands `views`: flags in, lines out."""

from __future__ import annotations

from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import app_schemas

app = typer.Typer(
    name="views",
    help="Schemas of views, app_v010, by which applications of a released revision read and write.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Revision = Annotated[str, typer.Argument(help="a released revision, in three digits")]
_Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="in place of DATABASE_URL and .env")]


@app.command("create")
def create_command(revision: _Revision, *, url: _Url = None) -> None:
    """Make the views of a revision, or make them anew; its applications set search_path = app_v010,public."""
    typer.echo(app_schemas.create_views(revision, settings=resolve_settings(url)).line)


@app.command("drop")
def drop_command(revision: _Revision, *, url: _Url = None) -> None:
    """Drop the views of a revision, unless an application that may run reads by them."""
    app_schemas.drop_views(revision, settings=resolve_settings(url))
    typer.echo(f"views of revision {revision}: dropped")


@app.command("list")
def list_command(*, url: _Url = None) -> None:
    """List the revisions that have views, and the applications that read by them."""
    for one in app_schemas.listed_views(settings=resolve_settings(url)):
        typer.echo(one.line)
