"""The sub-command `zero-downtime-migration`: flags in, lines out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Annotated, Final

import typer

from spotify_ai_agent_migrations.versions.core import PACKAGE_ROOT
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.runner import Outcome, run_revision
from spotify_ai_agent_migrations.versions.runner.options import parse_options
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    app_schemas,
    applications,
    listing,
    own,
    run,
    steering,
    together,
    views_command,
    wish_words,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish
from spotify_ai_agent_migrations.versions.zero_downtime_migration.pace import Pace
from spotify_ai_agent_migrations.versions.zero_downtime_migration.terms import Terms

_EXIT_CODES = "Exit codes: 0 done, 1 refused or failed, 2 usage or settings."
_FILE: Final = PACKAGE_ROOT / "versions" / "011_zero_downtime_migration.py"

app = typer.Typer(
    name="zero-downtime-migration",
    help="Change a live table so that nobody notices: start, backfill, verify, complete, or abort.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(views_command.app)
# `python versions/011_zero_downtime_migration.py`: the changes there are, beside the two directions of it.
script = typer.Typer(
    help="Make canonical e-mail while both applications run, and the ledger of online changes.",
    epilog=_EXIT_CODES,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Url = Annotated[str | None, typer.Option("--url", metavar="URL", help="in place of DATABASE_URL and .env")]
_Operation = Annotated[str, typer.Argument(help="what is to be done; `operations` lists them")]
_Table = Annotated[str, typer.Argument(help="schema.table, as SQL writes it")]
_Fields = Annotated[
    list[str] | None, typer.Argument(metavar="[FIELD=VALUE]…", help="fields of the operation; a list as JSON")
]
_Wait = Annotated[
    int, typer.Option("--lock-timeout-ms", min=1, help="how long others may wait for one try at most")
]
_Cancel = Annotated[
    list[str] | None,
    typer.Option("--cancel", metavar="role:NAME", help="who may be cancelled where in the way; repeat it"),
]
_Soak = Annotated[
    float | None,
    typer.Option(
        "--soak-hours", min=0, help="how long the new form is to be out before a contract; 24 in production"
    ),
]
_Override = Annotated[
    str | None, typer.Option("--override", metavar="REASON", help="contract in spite of what is missing")
]
_FirstKnown = Annotated[
    str | None, typer.Option("--revision", help="the first whose applications know the new form")
]
_Workers = Annotated[int, typer.Option("--workers", min=1, help="how many sessions fill at once")]
_Share = Annotated[
    float | None,
    typer.Option("--share", min=0.01, max=1, help="part of the time that each fills while others write"),
]


class Format(str, Enum):
    """How a list is written."""

    TEXT = "text"
    JSON = "json"


@app.command("operations", epilog=_EXIT_CODES)
def operations_command() -> None:
    """List the operations, and how each is called."""
    for called, what in wish_words.operations():
        typer.echo(f"{called}\n    {what}")


@app.command("plan", epilog=_EXIT_CODES)
def plan_command(operation: _Operation, table: _Table, words: _Fields = None, *, url: _Url = None) -> None:
    """Write the steps of a change: SQL, locks, and how long they are held at most; execute nothing."""
    settings = resolve_settings(url)
    column = wish_words.widened(operation, words or ())
    if column is not None:
        wishes: Sequence[Wish] = together.widening(table, column, settings=settings)
    else:
        wishes = (wish_words.wish_from(operation, table, words or ()),)
    for wish in wishes:
        for line in _planned(run.plan(wish, settings=settings)):
            typer.echo(line)


def _planned(change: Change) -> Iterator[str]:
    if not change.steps:
        yield "-- it is so already"
    for place, step in enumerate(change.steps):
        locks = ", ".join(f"{lock.mode} on {lock.table}" for lock in step.locks) or "no lock"
        done = "; done" if place in change.done else ""
        yield f"-- {step.phase.value}: {step.name} ({locks}; {step.held}{done})"
        for statement in step.sql or step.plain or ():
            yield f"{statement.strip()};"


def _verb(
    name: str, does: Callable[..., Change], does_together: Callable[..., tuple[Change, ...]], what: str
) -> None:
    """Give a verb of a change its command, and of the changes that a key comes to with what refers to it."""

    def command(
        operation: _Operation,
        table: _Table,
        words: _Fields = None,
        *,
        lock_timeout_ms: _Wait = Manner.lock_timeout_ms,
        cancel: _Cancel = None,
        workers: _Workers = Pace.workers,
        share: _Share = Pace.share,
        soak_hours: _Soak = None,
        override: _Override = None,
        revision: _FirstKnown = None,
        url: _Url = None,
    ) -> None:
        manner = Manner(
            lock_timeout_ms=lock_timeout_ms,
            first_lock_timeout_ms=min(lock_timeout_ms, Manner.first_lock_timeout_ms),
            cancel=frozenset(cancel or ()),
            pace=Pace(workers=workers, share=share),
            told=_tell,
            terms=Terms(None if soak_hours is None else soak_hours * 3_600, override),
            revision=revision,
        )
        settings = resolve_settings(url)
        column = wish_words.widened(operation, words or ())
        if column is not None:
            found = together.widening(table, column, settings=settings)
            every = does_together(found, settings=settings, manner=manner)
        else:
            every = (
                does(wish_words.wish_from(operation, table, words or ()), settings=settings, manner=manner),
            )
        for made in every:
            typer.echo(f"{made.operation} {made.table} {made.subject}: {made.state.value}")

    app.command(name, help=what, epilog=_EXIT_CODES)(command)


def _tell(step: Step, moment: str) -> None:
    if moment != "done":
        typer.echo(f"{step.name}: {moment}", err=True)


_verb(
    "change",
    run.change,
    together.change,
    "Make a change from its start to its completion, or go on with one.",
)
_verb("start", run.start, together.start, "Begin a change: after it, old and new code both run.")
_verb(
    "backfill",
    run.backfill,
    together.backfill,
    "Fill what it needs into the rows that are there, in batches.",
)
_verb("verify", run.verify, together.verify, "Prove that no row was missed.")
_verb("complete", run.complete, together.complete, "Contract it: from here on only new code runs.")
_verb("abort", run.abort, together.abort, "Take back what was done so far.")


def _steer(name: str, does: Callable[..., None], what: str) -> None:
    def command(operation: _Operation, table: _Table, words: _Fields = None, *, url: _Url = None) -> None:
        does(wish_words.wish_from(operation, table, words or ()), settings=resolve_settings(url))

    app.command(name, help=what, epilog=_EXIT_CODES)(command)


_steer("pause", steering.pause, "Let the backfill of a change stand still; its process waits.")
_steer("resume", steering.resume, "Let a backfill go on that was paused.")
_steer("cancel", steering.cancel, "End the process of a backfill; what is filled stays.")


@app.command("acknowledge", epilog=_EXIT_CODES)
def acknowledge_command(
    application: Annotated[str, typer.Argument(help="application or service")],
    version: Annotated[str, typer.Argument(help="its version")],
    *,
    revision: Annotated[str, typer.Option("--revision", help="the last whose new forms it knows")] = "",
    retire: Annotated[bool, typer.Option("--retire", help="none of this version runs any more")] = False,
    url: _Url = None,
) -> None:
    """Say that a version of an application runs and which forms it knows, or that none of it runs."""
    if retire == bool(revision):
        raise typer.BadParameter("say either --revision NNN or --retire")
    settings = resolve_settings(url)
    if retire:
        left = applications.retire(application, version, settings=settings)
    else:
        left = applications.acknowledge(application, version, revision=revision, settings=settings)
    for one in left:
        typer.echo(f"{one.name} {one.version}: may run, knows revision {one.revision}")


@script.command("status", epilog=_EXIT_CODES)
@app.command("status", epilog=_EXIT_CODES)
def status_command(
    *,
    written: Annotated[Format, typer.Option("--format", help="for people or programs")] = Format.TEXT,
    url: _Url = None,
) -> None:
    """List the changes there are, the last one first: how far each is, since when, and what it waits for."""
    found = own.status(settings=resolve_settings(url))
    if written is Format.JSON:
        typer.echo(listing.as_json(found))
        return
    for line in (line for one in found for line in one.lines):
        typer.echo(line)
    for views in app_schemas.listed_views(settings=resolve_settings(url)):
        typer.echo(views.line)
    if not found:
        typer.echo("no online changes", err=True)


@script.command("resume", epilog=_EXIT_CODES)
def resume_command(*, url: _Url = None) -> None:
    """Go on with an upgrade that was cut off, from its finished step."""
    outcome = run_revision(_FILE, "upgrade", parse_options({"url": url} if url else {}))
    said = "applied" if outcome is Outcome.APPLIED else "already applied, nothing to do"
    typer.echo(f"{_FILE.stem}: {said}")


@script.command("abort", epilog=_EXIT_CODES)
def abort_command(*, url: _Url = None) -> None:
    """Take back what an upgrade that was cut off has made."""
    own.abort_upgrade(settings=resolve_settings(url))
    typer.echo(f"{_FILE.stem}: taken back")
