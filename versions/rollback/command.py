"""The sub-command `rollback`: flags in, lines out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.rollback import plan as decide
from spotify_ai_agent_migrations.versions.rollback import quarantine as kept
from spotify_ai_agent_migrations.versions.rollback.plan import RollbackPlan
from spotify_ai_agent_migrations.versions.rollback.run import RollbackResult, plan_rollback, rollback
from spotify_ai_agent_migrations.versions.runner.options import Options, parse_options

_EXIT_CODES = "Exit codes: 0 done, 1 refused or failed, 2 usage or settings."

# "-2" is a target and no option.
_MINUS_N = {"ignore_unknown_options": True}

app = typer.Typer(
    name="rollback",
    help="Roll revisions back: see what it loses, keep that, go, and put it back.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="in place of DATABASE_URL and .env")]
_X = Annotated[list[str] | None, typer.Option("-x", help="key=value, as for alembic: -x lock-timeout-ms=500")]
_Json = Annotated[bool, typer.Option("--json", help="write the plan as JSON")]
_Digest = Annotated[
    str | None, typer.Option("--accept-data-loss", metavar="DIGEST", help="of the plan that was read")
]
_Copy = Annotated[int, typer.Option("--copy-timeout-ms", help="how long writers may wait for a copy")]


# `python versions/006_rollback.py`: without a sub-command it shows the way one step back, asks, and goes it.
script = typer.Typer(help="Roll back.", epilog=_EXIT_CODES, rich_markup_mode=None, add_completion=False,
                     pretty_exceptions_enable=False)  # fmt: skip


@script.callback(invoke_without_command=True)
def back(
    context: typer.Context,
    *,
    steps: Annotated[int, typer.Option("--steps", min=1, help="how many revisions")] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="where nobody can be asked: accept the plan")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the plan, and stop")] = False,
    url: _Url = None,
    x: _X = None,
    written: _Json = False,
) -> None:
    """Show what rolling back the last revision loses, ask, and roll back."""
    if context.invoked_subcommand is not None:
        return
    options = parse_options(spoken(url, x))
    planned = plan_rollback(f"-{steps}", options)
    show(planned, written=written)
    if dry_run or options.dry_run or not planned.steps:
        return
    if not yes:
        typer.confirm(f"Roll back to {planned.target}?", abort=True, err=True)
    said(rollback(planned.target, options, accept_data_loss=planned.digest))


@script.command("plan", epilog=_EXIT_CODES, context_settings=_MINUS_N)
@app.command("plan", epilog=_EXIT_CODES, context_settings=_MINUS_N)
def plan_command(
    target: Annotated[str, typer.Argument(help='a revision, "base", or -N for N steps')] = "-1",
    *,
    url: _Url = None,
    x: _X = None,
    written: _Json = False,
) -> None:
    """Show the way back to TARGET and what it loses; nothing stays of it."""
    show(plan_rollback(target, parse_options(spoken(url, x))), written=written)


@script.command("to", epilog=_EXIT_CODES, context_settings=_MINUS_N)
@app.command("to", epilog=_EXIT_CODES, context_settings=_MINUS_N)
def to_command(
    target: Annotated[str, typer.Argument(help='a revision, "base", or -N for N steps')],
    *,
    url: _Url = None,
    x: _X = None,
    accept_data_loss: _Digest = None,
    copy_timeout_ms: _Copy = 2_000,
) -> None:
    """Go back to TARGET; what is destroyed is kept first."""
    options = parse_options(spoken(url, x))
    done = rollback(target, options, accept_data_loss=accept_data_loss, copy_timeout_ms=copy_timeout_ms)
    if options.dry_run:
        show(done.plan, written=False)
    else:
        said(done)


@script.command("restore", epilog=_EXIT_CODES)
@app.command("restore", epilog=_EXIT_CODES)
def restore_command(
    run: Annotated[str, typer.Argument(help="rollback_…")], *, url: _Url = None, x: _X = None
) -> None:
    """Put back what a rollback kept, once the revisions are applied again."""
    options = parse_options(spoken(url, x))
    for returned in kept.restore(run, options).tables:
        typer.echo(str(returned))
    if options.dry_run:
        typer.echo("dry run: everything was rolled back")


@app.command("list", epilog=_EXIT_CODES)
def list_command(url: _Url = None) -> None:
    """Show what rollbacks kept."""
    for name, items in kept.quarantines(Options(url=url)):
        typer.echo(f"{name}: {kept.summary(items)}")


@app.command("purge", epilog=_EXIT_CODES)
def purge_command(
    run: Annotated[str | None, typer.Argument(help="rollback_…; without it, what is past its time")] = None,
    url: _Url = None,
) -> None:
    """Drop what a rollback kept, for good."""
    for name in kept.purge(run, Options(url=url)):
        typer.echo(f"{name}: gone")


def show(plan: RollbackPlan, *, written: bool) -> None:
    """Write a plan to standard output."""
    if written:
        typer.echo(json.dumps({**asdict(plan), "digest": plan.digest, "rows_at_risk": plan.rows_at_risk}))
        return
    for line in decide.lines(plan):
        typer.echo(line)


def said(done: RollbackResult) -> None:
    """Say what was rolled back, and where what it destroyed is kept."""
    typer.echo(f"rolled back from {done.plan.start} to {done.plan.target}")
    if done.quarantine:
        typer.echo(f"kept in {done.quarantine}: agentdb rollback restore {done.quarantine}")


def spoken(url: str | None, x: Iterable[str] | None) -> dict[str, str]:
    """Return the `-x` arguments by name, and the URL among them."""
    pairs = (one.partition("=") for one in x or ())
    return {**{key: value for key, _, value in pairs}, **({"url": url} if url else {})}
