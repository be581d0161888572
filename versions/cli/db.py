"""`agentdb db`: look inside the database that is meant, and start or stop the local one."""

from __future__ import annotations

import shutil
import subprocess
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.core import embedded
from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import ServerError
from spotify_ai_agent_migrations.versions.core.fingerprint import fingerprint
from spotify_ai_agent_migrations.versions.core.programs import client_environment, spoken_conninfo
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings

Url = Annotated[str | None, typer.Option(help="in place of DATABASE_URL and .env")]

app = typer.Typer(
    help="Look inside the database; start and stop the local one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def url(url: Url = None) -> None:
    """Show which database is meant, without its password."""
    typer.echo(resolve_settings(url).shown_url)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context, url: Url = None) -> None:
    """Open psql on the database that is meant; further arguments are psql's own."""
    settings = resolve_settings(url)
    program = embedded.program("psql") or shutil.which("psql")
    if program is None:
        raise ServerError("psql is not installed", hint="install PostgreSQL's client programs")
    # Not exec: the local server is stopped when this process ends.
    done = subprocess.run(
        [program, spoken_conninfo(settings, program="psql"), *context.args],
        env=client_environment(settings),
        check=False,
    )
    raise typer.Exit(done.returncode)


@app.command()
def start() -> None:
    """Start the local PostgreSQL and leave it running."""
    server = embedded.start(embedded.home(), keep=True)
    typer.echo(f"{'started' if server.started else 'already running'}: {server.url}")


@app.command()
def stop() -> None:
    """Stop the local PostgreSQL."""
    typer.echo("stopped" if embedded.stop(embedded.home()) else "not running")


@app.command("fingerprint")
def show_fingerprint(url: Url = None) -> None:
    """Show a hash over the whole schema: equal hash, equal schema."""
    with connect(resolve_settings(url)) as connection:
        typer.echo(fingerprint(connection))
