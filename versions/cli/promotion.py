"""The commands of `agentdb governance` that take a revision to production: approve, receipt, promote."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.cli.report import interruptible
from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.errors import EXIT_FINDINGS, FileError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import make_keys, write_new
from spotify_ai_agent_migrations.versions.governance import trust
from spotify_ai_agent_migrations.versions.governance.approval import approve_revision
from spotify_ai_agent_migrations.versions.governance.receipts import TIME, receipt_id, signed_receipt
from spotify_ai_agent_migrations.versions.runner import Options, promotion
from spotify_ai_agent_migrations.versions.runner.receipt import make_receipt
from spotify_ai_agent_migrations.versions.runner.standalone import run_upgrade

_FOLDER = PACKAGE_ROOT / "versions"
Url = Annotated[str | None, typer.Option(help="in place of DATABASE_URL and .env")]


def approve(
    revision: Annotated[str, typer.Argument(help="a revision as its file is now")],
    *,
    reviewer: Annotated[
        str | None, typer.Option(metavar='"NAME <E-MAIL>"', help="who approves  [default: Git's own user]")
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(metavar='"NAME <E-MAIL>"', help="who wrote it, beside those whom Git knows"),
    ] = None,
) -> None:
    """Approve of a revision as its file is now: a line in versions/APPROVALS, to be committed."""
    at = datetime.now(timezone.utc).strftime(TIME)
    made, added = approve_revision(_FOLDER, revision, reviewer=reviewer, authors=author or (), at=at)
    state = "approved" if added else "was approved already"
    typer.echo(f"{made.file_name} {made.checksum[:12]} {state} by {made.reviewer}")


def receipt(
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="not there yet  [default: a name of its own]"),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="private key, in place of MIGRATIONS_RECEIPT_KEY_FILE")
    ] = None,
    url: Url = None,
) -> None:
    """Sign what staging has run, for production to believe it; say it where MIGRATIONS_ENV=staging."""
    # The key first: without one, nothing is to wait for a lock.
    signing = trust.SIGNING.read(key)
    made = make_receipt(resolve_settings(url))
    name = receipt_id(made.payload)
    file = out or receipts_folder() / f"{made.heads[-1]}_{made.at.replace(':', '')}_{name[:8]}.json"
    write_new(file, signed_receipt(made, signing), mode=0o644)
    names = ", ".join(one.revision for one in made.tried)
    typer.echo(f"receipt {name[:12]} of {names}, signed by {signing.key_id}: {file}")


def receipts_folder() -> Path:
    """Return the folder that receipts go to, made where it is not there.

    Raises:
        FileError: it cannot be made.
    """
    folder = trust.receipts_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f'the folder "{folder}" cannot be made: {error.strerror}', hint="say --out FILE"
        ) from error
    return folder


def promote(
    revision: Annotated[str, typer.Argument(help="the last revision, as for alembic upgrade")] = "head",
    *,
    check: Annotated[bool, typer.Option("--check", help="show what is missing, and run nothing")] = False,
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="run it whatever is missing; needs a reason")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="why; the journal keeps it")] = None,
    url: Url = None,
) -> None:
    """Upgrade, as `alembic upgrade` does; with --check, show for each pending revision what is missing.

    Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 something is missing.
    """
    options = Options(url=url, break_glass=break_glass, reason=reason)
    if not check:
        with interruptible():
            run_upgrade(revision, options)
        return
    verdicts = promotion.check_upgrade(options.settings(), revision)
    for verdict in verdicts:
        typer.echo(f"{verdict.pending.file_name}: {verdict.said or verdict.ready}")
    if not verdicts:
        typer.echo("nothing is pending")
    if any(verdict.missing for verdict in verdicts):
        raise typer.Exit(EXIT_FINDINGS)


def new_key(
    private: Annotated[Path, typer.Argument(help="file of the private key, which is not there yet")],
    *,
    public: Annotated[
        Path | None,
        typer.Option("--public", metavar="FILE", help="of the public key; else the same and .pub"),
    ] = None,
) -> None:
    """Make a pair of keys: staging signs with the private one, production believes the public one."""
    beside = public or private.with_name(f"{private.name}.pub")
    typer.echo(f"key {make_keys(private, beside).key_id}: {private}, {beside}")
