"""Execute a migration for real and roll it back: the dry run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy
from alembic.runtime.migration import MigrationContext

from spotify_ai_agent_migrations.versions.core.sql import without_literals
from spotify_ai_agent_migrations.versions.runner.steps import StepFunction

_log: Final = logging.getLogger("spotify_ai_agent_migrations")


def rehearse(context: Any, connection: sqlalchemy.Connection, function: StepFunction) -> None:  # noqa: ANN401
    """Run the steps of *function* in one transaction and roll it back.

    Takes the locks the migration takes, for as long as all of it lasts. Statements that cannot run in a
    transaction are named and left out. What PostgreSQL never rolls back (sequences) stays moved.
    """
    transaction = connection.begin()
    try:
        # Alembic finds a transaction open, and so commits nothing.
        context.configure(connection=connection, fn=function)
        migration = context.get_context()
        migration.autocommit_block = lambda: _named_only(migration)
        context.run_migrations()
    finally:
        transaction.rollback()
    _log.warning("dry run: everything was rolled back")


@contextmanager
def _named_only(migration: MigrationContext) -> Iterator[None]:
    """Name the statements of an autocommit block instead of executing them."""
    execute = migration.impl._exec

    def name(construct: Any, *_: object, **__: object) -> None:  # noqa: ANN401  (SQLAlchemy takes any)
        compiled = construct if isinstance(construct, str) else construct.compile(dialect=migration.dialect)
        _log.warning("dry run: not executed, needs to run alone: %s", without_literals(str(compiled)))

    migration.impl._exec = name  # type: ignore[method-assign]
    try:
        yield
    finally:
        migration.impl._exec = execute  # type: ignore[method-assign]
