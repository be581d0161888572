"""The face of env.py: a command line gets two lines and an exit code, a caller from Python the error."""

from __future__ import annotations

from functools import partial
from logging.config import fileConfig
from typing import Any

import typer

from spotify_ai_agent_migrations.versions.cli.report import interruptible, reported, write_utf8
from spotify_ai_agent_migrations.versions.runner import run_environment
from spotify_ai_agent_migrations.versions.runner.environment import PLAN_ATTRIBUTE
from spotify_ai_agent_migrations.versions.runner.plan import FORMATS


def environment_main(context: Any, file: str) -> None:  # noqa: ANN401  (the module alembic.context)
    """Run the Alembic command that *context* holds."""
    if context.config.cmd_opts is None:
        run_environment(context, file)
        return
    if context.config.file_config.has_section("loggers"):
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    if context.is_offline_mode():
        write_utf8()
    with interruptible():
        reported(partial(run_environment, context, file))
    plan = context.config.attributes.get(PLAN_ATTRIBUTE)
    if plan is not None:
        typer.echo(FORMATS["text"](plan), nl=False)
