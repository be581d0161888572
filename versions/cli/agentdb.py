"""The command `agentdb`: each room under its own name, and loaded when it is named."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Final

import typer

from spotify_ai_agent_migrations.versions.cli import end_unchecked
from spotify_ai_agent_migrations.versions.cli.report import reported, talk_on_stderr

_HELP: Final = (
    "The PostgreSQL side of the music-streaming AI backend.\n\n"
    "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, "
    "3 governance findings or stale documentation."
)
_VERSIONS: Final = "spotify_ai_agent_migrations.versions"
# The module of each part, and what it holds: a command, a group of them, or a function that mounts one.
_PARTS: Final = {
    "check": ("governance.command", "check"),
    "docs": ("docs.command", "docs"),
    "plan": ("cli.plan", "plan"),
    "health-check": ("health_check.command", "mounted"),
    "governance": ("cli.governance", "app"),
    "rollback": ("rollback.command", "app"),
    "db": ("cli.db", "app"),
    "bulk-import-export": ("bulk_import_export.command", "app"),
    "distribution": ("distribution.command", "app"),
    "partitioning": ("partitioning.command", "app"),
    "audit-trail": ("audit_trail.command", "app"),
    "gdpr-erasure": ("gdpr_erasure.command", "app"),
    "zero-downtime-migration": ("zero_downtime_migration.command", "app"),
}


def main() -> None:
    """Run the command line."""
    talk_on_stderr()
    named = sys.argv[1] if sys.argv[1:] else ""
    parts = (named,) if named in _PARTS else _PARTS
    try:
        app = composed(parts)
    except Exception as error:
        if named == "health-check":
            end_unchecked(error)
        raise
    reported(lambda: app(prog_name="agentdb"))


def composed(names: Iterable[str]) -> typer.Typer:
    """Return the command line with the parts of these *names*: loading all of them takes most of a second."""
    app = typer.Typer(
        name="agentdb",
        help=_HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    # A group even where it has a single command.
    app.callback()(lambda: None)
    for name in names:
        module, attribute = _PARTS[name]
        part = getattr(import_module(f"{_VERSIONS}.{module}"), attribute)
        if attribute == "mounted":
            part(app)
        elif isinstance(part, typer.Typer):
            app.add_typer(part, name=name)
        else:
            app.command(name)(part)
    return app


if __name__ == "__main__":
    main()
