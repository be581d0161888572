"""`agentdb governance`: the journal, what differs from it, and the exceptions that were made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.cli import promotion
from spotify_ai_agent_migrations.versions.cli.evidence import evidence
from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.governance import checksums as recorded
from spotify_ai_agent_migrations.versions.governance import discover
from spotify_ai_agent_migrations.versions.runner import inspection
from spotify_ai_agent_migrations.versions.runner.drift import repairs

Url = Annotated[str | None, typer.Option(help="in place of DATABASE_URL and .env")]
Reason = Annotated[str, typer.Option(help="why; the journal keeps it")]

app = typer.Typer(
    help="Look into the journal, find what differs from it, make and record exceptions.\n\n"
    "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 something differs or is missing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

for command in (evidence, promotion.approve, promotion.receipt, promotion.promote, promotion.new_key):
    app.command()(command)


@app.command()
def journal(
    url: Url = None,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="recompute every hash, and compare the end")
    ] = False,
    head: Annotated[
        str | None, typer.Option(help="with --verify: a hash kept elsewhere, which has to be in it")
    ] = None,
) -> None:
    """Show what was done to the schema; with --verify, whether the journal is as it was written."""
    if not verify:
        for written in inspection.read_journal(resolve_settings(url)):
            typer.echo(inspection.line(written))
        return
    found = inspection.verify_journal(resolve_settings(url), head=head)
    for fault in found.faults:
        typer.echo(str(fault))
    typer.echo(str(found))
    if found.faults:
        raise typer.Exit(EXIT_FINDINGS)


@app.command()
def drift(url: Url = None) -> None:
    """Show what differs from the schema that was journaled last, and the SQL that takes it back."""
    found = inspection.read_drift(resolve_settings(url))
    for difference, statements in repairs(found.differences):
        typer.echo(str(difference))
        for statement in statements:
            typer.echo(f"    {statement}")
    typer.echo(str(found) or "nothing differs from the journal")
    if found:
        raise typer.Exit(EXIT_FINDINGS)


@app.command()
def verify(url: Url = None) -> None:
    """Ask every applied revision that can tell whether what it promises holds."""
    asked = inspection.verify_revisions(resolve_settings(url))
    typer.echo(f"asked: {', '.join(asked) or 'none'}; what they promise holds")


@app.command()
def accept(
    revision: Annotated[str, typer.Argument(help="an applied revision whose file changed")],
    reason: Reason,
    url: Url = None,
) -> None:
    """Keep the change of an applied revision; the database stays as it is."""
    inspection.accept_revision(resolve_settings(url), revision, reason=reason)
    typer.echo(f"revision {revision} is accepted as it is now")


@app.command()
def accept_drift(reason: Reason, url: Url = None) -> None:
    """Let the journal know the schema as it is now."""
    found = inspection.accept_drift(resolve_settings(url), reason=reason)
    typer.echo(f"accepted: {found}" if found else "nothing differs from the journal")


@app.command()
def checksums(
    folder: Annotated[Path, typer.Argument(help="the folder of revisions", exists=True, file_okay=False)] = (
        PACKAGE_ROOT / "versions"
    ),
    *,
    write: Annotated[bool, typer.Option("--write", help="write the list anew")] = False,
) -> None:
    """Show the checksums of the revisions, or record them in CHECKSUMS."""
    files = [revision.path for revision in discover(folder)]
    text = recorded.rendered(files)
    if not write:
        typer.echo(text, nl=False)
        return
    (folder / recorded.LIST).write_text(text, encoding="utf-8")
    typer.echo(f"{folder.name}/{recorded.LIST}: {len(files)} revisions")
