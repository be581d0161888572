"""Write a migration as SQL that somebody else runs: each step guarded. Opens no connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from spotify_ai_agent_migrations.versions.core.locks import lock_key
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.runner.options import Options
from spotify_ai_agent_migrations.versions.runner.steps import Step, StepFunction, surrounded

VERSION_TABLE: Final = "alembic_version"

_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner")


def write_script(context: Any, function: StepFunction, options: Options) -> None:  # noqa: ANN401  (a module)
    """Write the script of *function* to Alembic's output.

    For psql, which stops at the first error: the script's first line tells it to.
    """
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        # With the default paramstyle every % of a literal would be doubled.
        dialect_opts={"paramstyle": "named"},
        transaction_per_migration=True,
        fn=surrounded(function, _guard),
    )
    migration = context.get_context()
    migration.impl.static_output("\\set ON_ERROR_STOP on\n")
    _write(
        migration,
        "offline_settings",
        lock_timeout_ms=options.lock_timeout_ms,
        statement_timeout_ms=options.statement_timeout_ms,
    )
    start = ",".join(migration.get_current_heads())
    _write(migration, "offline_start", key=lock_key(VERSION_TABLE), expected=start)
    with context.begin_transaction():
        context.run_migrations()


@contextmanager
def _guard(context: MigrationContext, step: Step) -> Iterator[None]:
    _write(context, "offline_step", key=lock_key(VERSION_TABLE), expected=",".join(step.starts_from))
    yield


def _write(context: MigrationContext, name: str, **values: str | int) -> None:
    statement = "\n".join(line for line in _SQL[name].splitlines() if not line.startswith("--"))
    context.impl._exec(text(statement).bindparams(**values))
