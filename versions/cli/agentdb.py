"""The command `agentdb`: each room under its own name."""

from __future__ import annotations

import typer

from spotify_ai_agent_migrations.versions.audit_trail import command as audit_trail
from spotify_ai_agent_migrations.versions.bulk_import_export import command as bulk_import_export
from spotify_ai_agent_migrations.versions.cli import db
from spotify_ai_agent_migrations.versions.cli import governance as governed
from spotify_ai_agent_migrations.versions.cli.plan import plan
from spotify_ai_agent_migrations.versions.cli.report import reported, talk_on_stderr
from spotify_ai_agent_migrations.versions.distribution import command as distribution
from spotify_ai_agent_migrations.versions.docs import command as docs
from spotify_ai_agent_migrations.versions.gdpr_erasure import command as gdpr_erasure
from spotify_ai_agent_migrations.versions.governance import command as governance
from spotify_ai_agent_migrations.versions.health_check import command as health_check
from spotify_ai_agent_migrations.versions.partitioning import command as partitioning
from spotify_ai_agent_migrations.versions.rollback import command as rollback

app = typer.Typer(
    name="agentdb",
    help="The PostgreSQL side of the music-streaming AI backend.\n\n"
    "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, "
    "3 governance findings or stale documentation.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(governance.check)
app.command()(docs.docs)
app.command()(plan)
health_check.mounted(app)
app.add_typer(governed.app, name="governance")
app.add_typer(rollback.app, name="rollback")
app.add_typer(db.app, name="db")
app.add_typer(bulk_import_export.app, name="bulk-import-export")
app.add_typer(distribution.app, name="distribution")
app.add_typer(partitioning.app, name="partitioning")
app.add_typer(audit_trail.app, name="audit-trail")
app.add_typer(gdpr_erasure.app, name="gdpr-erasure")


def main() -> None:
    """Run the command line."""
    talk_on_stderr()
    reported(lambda: app(prog_name="agentdb"))
