"""The face of env.py: a command line gets two lines and an exit code, a caller from Python the error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from logging.config import fileConfig
from typing import Any

import typer
from sqlalchemy import MetaData

from spotify_ai_agent_migrations.versions.cli.report import interruptible, reported, write_utf8
from spotify_ai_agent_migrations.versions.core.errors import (
    GovernanceError,
    MigrationError,
    RevisionError,
)
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.runner import Options, run_environment
from spotify_ai_agent_migrations.versions.runner.environment import PLAN_ATTRIBUTE, read_options
from spotify_ai_agent_migrations.versions.runner.online import START_ATTRIBUTE
from spotify_ai_agent_migrations.versions.runner.plan import FORMATS


def environment_main(context: Any, file: str) -> None:  # noqa: ANN401  (the module alembic.context)
    """Run the Alembic command that *context* holds."""
    if context.config.cmd_opts is None:
        run_environment(context, file, _rewritten)
        return
    if context.config.file_config.has_section("loggers"):
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    if context.is_offline_mode():
        write_utf8()
    with interruptible():
        reported(partial(_undone_on_failure, context, file))
    plan = context.config.attributes.get(PLAN_ATTRIBUTE)
    if plan is not None:
        typer.echo(FORMATS["text"](plan), nl=False)


def _undone_on_failure(context: Any, file: str) -> None:  # noqa: ANN401  (the module alembic.context)
    """Run the command; where `-x on-failure=rollback` was said, a failed upgrade goes back to where it began.

    Raises:
        MigrationError: of the command; it says what came of the way back.
    """
    try:
        run_environment(context, file, _rewritten)
    except MigrationError as error:
        start = context.config.attributes.get(START_ATTRIBUTE)
        options = read_options(context)
        upgrading = context.config.cmd_opts.cmd[0].__name__ == "upgrade"
        # What a gate refuses was not begun.
        refused = start is None or isinstance(error, GovernanceError)
        if refused or not upgrading or options.dry_run or options.on_failure != "rollback":
            raise
        assert start is not None
        with _its_own(context):
            try:
                came_of_it, hint = _go_back(start, options), error.hint
            except MigrationError as barred:
                came_of_it, hint = f"and it stays so, for {barred.problem}", barred.hint
        raise RevisionError(f"{error.problem}; {came_of_it}", hint=hint) from error


def _rewritten(settings: Settings, metadata: MetaData, directives: list[Any]) -> None:
    """Let `--autogenerate` write what changes live tables online."""
    # By name, and late: no other command of Alembic needs the room.
    room = import_module("spotify_ai_agent_migrations.versions.zero_downtime_migration.autogenerate")
    room.rewrite(settings, metadata, directives)


@contextmanager
def _its_own(context: Any) -> Iterator[None]:  # noqa: ANN401  (the module alembic.context)
    """Let the block run commands of Alembic inside of one, which then finds its own context again."""
    outer = vars(context)["_proxy"]
    try:
        yield
    finally:
        outer._install_proxy()


def _go_back(start: tuple[str, ...], options: Options) -> str:
    """Roll back to where the upgrade began; return what came of it."""
    # By name, and late: no other command of Alembic needs the room.
    rollback = import_module("spotify_ai_agent_migrations.versions.rollback")
    target = start[0] if start else "base"
    planned = rollback.plan_rollback(target, options)
    done = rollback.rollback(target, options, accept_data_loss=planned.digest)
    kept = f", what it destroyed is in {done.quarantine}" if done.quarantine else ""
    return f"rolled back to {done.plan.target}{kept}" if done.plan.steps else "nothing was applied"
