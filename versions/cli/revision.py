"""`python versions/NNN_slug.py`: one revision, applied, reverted, rehearsed or written out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from enum import Enum
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from spotify_ai_agent_migrations.versions.cli.report import (
    interruptible,
    reported,
    talk_on_stderr,
    write_utf8,
)
from spotify_ai_agent_migrations.versions.core.errors import SettingsError
from spotify_ai_agent_migrations.versions.runner import Outcome, run_revision
from spotify_ai_agent_migrations.versions.runner.options import parse_options

_SAID = {
    Outcome.APPLIED: "applied",
    Outcome.REVERTED: "reverted",
    Outcome.REHEARSED: "executed and rolled back",
}

# Rooms whose numbered script does more than apply itself.
_ROOMS = {
    "bulk_import_export": "spotify_ai_agent_migrations.versions.bulk_import_export.command",
    "gdpr_erasure": "spotify_ai_agent_migrations.versions.gdpr_erasure.command",
    "health_check": "spotify_ai_agent_migrations.versions.health_check.command",
    "partitioning": "spotify_ai_agent_migrations.versions.partitioning.command",
    "rollback": "spotify_ai_agent_migrations.versions.rollback.command",
    "zero_downtime_migration": "spotify_ai_agent_migrations.versions.zero_downtime_migration.command",
}

_BreakGlass = Annotated[
    bool, typer.Option("--break-glass", help="run it in production whatever is missing; needs a reason")
]
_Reason = Annotated[str | None, typer.Option("--reason", help="why; the journal keeps it")]


class Verb(str, Enum):
    """The two directions of a revision."""

    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"


def revision_main(file: str) -> int:
    """Run the command line of the revision in *file*; return the exit code."""
    talk_on_stderr()
    write_utf8()
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    room = _room(Path(file))
    if room is None:
        app.command(help=_help(file))(_command(Path(file)))
    else:
        # The room's commands, and both directions of the revision beside them.
        app = room
        for verb in Verb:
            app.command(verb.value, help=f"{verb.value.capitalize()} this revision alone.")(
                _command(Path(file), verb)
            )
        if app.registered_callback is None:
            app.callback(invoke_without_command=True)(_by_default(Path(file)))
    # The driver copies no rows while its waits can be interrupted; that room interrupts them by itself.
    with nullcontext() if Path(file).stem.endswith("bulk_import_export") else interruptible():
        reported(partial(app, prog_name=f"python versions/{Path(file).name}"))
    return 0


def _room(file: Path) -> typer.Typer | None:
    """Return the commands that the script of a room's revision has; None where it has none of its own."""
    command = import_module(_ROOMS[file.stem[4:]]) if file.stem[4:] in _ROOMS else None
    return command.script if command is not None else None


def _command(file: Path, only: Verb | None = None) -> Callable[..., None]:
    """Return the command of the revision in *file*, for both directions or for one of them."""

    def run_only(
        *,
        sql: Annotated[bool, typer.Option("--sql", help="write the SQL to standard output instead")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="execute it and roll back")] = False,
        break_glass: _BreakGlass = False,
        reason: _Reason = None,
        x: Annotated[list[str] | None, typer.Option("-x", help="key=value, as for alembic: -x url=…")] = None,
    ) -> None:
        assert only is not None
        run(only, sql=sql, dry_run=dry_run, break_glass=break_glass, reason=reason, x=x)

    def run(
        verb: Annotated[Verb, typer.Argument(help="apply it, or revert it")] = Verb.UPGRADE,
        *,
        sql: Annotated[bool, typer.Option("--sql", help="write the SQL to standard output instead")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="execute it and roll back")] = False,
        break_glass: _BreakGlass = False,
        reason: _Reason = None,
        x: Annotated[list[str] | None, typer.Option("-x", help="key=value, as for alembic: -x url=…")] = None,
    ) -> None:
        spoken = dict(_pair(one) for one in x or ())
        said = {
            "dry-run": "1" if dry_run else None,
            "break-glass": "1" if break_glass else None,
            "reason": reason,
        }
        options = parse_options(
            {**spoken, **{key: value for key, value in said.items() if value is not None}}
        )
        _say(file, verb, run_revision(file, verb.value, options, sql=sql))

    return run if only is None else run_only


def _by_default(file: Path) -> Callable[..., None]:
    """Return what the script of a room does without a sub-command: apply its revision, as any other does."""
    apply = _command(file, Verb.UPGRADE)

    def run(
        context: typer.Context,
        *,
        sql: Annotated[bool, typer.Option("--sql", help="write the SQL to standard output instead")] = False,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="execute it and roll back")] = False,
        break_glass: _BreakGlass = False,
        reason: _Reason = None,
        x: Annotated[list[str] | None, typer.Option("-x", help="key=value, as for alembic: -x url=…")] = None,
    ) -> None:
        if context.invoked_subcommand is None:
            apply(sql=sql, dry_run=dry_run, break_glass=break_glass, reason=reason, x=x)

    return run


def _say(file: Path, verb: Verb, outcome: Outcome) -> None:
    if outcome is Outcome.WRITTEN:
        return
    unchanged = "already applied" if verb is Verb.UPGRADE else "not applied"
    typer.echo(f"{file.stem}: {_SAID.get(outcome, f'{unchanged}, nothing to do')}")


def _pair(spoken: str) -> tuple[str, str]:
    key, equals, value = spoken.partition("=")
    if not equals and key != "dry-run":
        raise SettingsError(f'"-x {key}" has no value', hint=f"say -x {key}=…")
    return key, value


def _help(file: str) -> str:
    return (
        f"Apply revision {Path(file).stem}, if its parent is applied and it is not.\n\n"
        "Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 governance findings."
    )
