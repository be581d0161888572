"""Execute a migration for real and roll it back, or do so on a clone: the dry run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy
from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import connection as Connection
from sqlalchemy.dialects import postgresql

from spotify_ai_agent_migrations.versions.core.sql import queries, without_literals
from spotify_ai_agent_migrations.versions.runner.plan import Moved, Observer, Plan, Where
from spotify_ai_agent_migrations.versions.runner.steps import Step, StepFunction

_log: Final = logging.getLogger("spotify_ai_agent_migrations")
_NAMED: Final = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner")


class Rehearsal:
    """One dry run on *connection*; on a clone the steps are committed, one by one as in a real run.

    Where nobody reads the plan, its statements are not *measured*, which takes longer than most of them do.
    """

    def __init__(
        self,
        connection: sqlalchemy.Connection,
        opener: Callable[[], Connection],
        where: Where,
        *,
        measured: bool = True,
    ) -> None:
        self._connection = connection
        self._observer = Observer(connection, opener, measured=measured)
        self._where = where
        self._moved: tuple[Moved, ...] = ()

    @property
    def commits(self) -> bool:
        """Whether the steps are committed."""
        return self._where is not Where.ROLLED_BACK

    @property
    def plan(self) -> Plan:
        """What was found out."""
        return Plan(self._where, tuple(self._observer.statements), self._moved)

    def run(self, context: Any, function: StepFunction) -> None:  # noqa: ANN401  (a module)
        """Run the steps of *function*.

        Unless they are committed, they run in one transaction that is rolled back: it takes the locks the
        migration takes, for as long as all of it lasts. Statements that cannot run in a transaction are noted
        and left out. What PostgreSQL never rolls back, a number given out by a sequence, is noted: to set a
        sequence back could give a number twice, since others may have taken some meanwhile.
        """
        self._observer.statements.clear()
        if self.commits:
            context.configure(connection=self._connection, transaction_per_migration=True, fn=function)
            with context.begin_transaction():
                context.run_migrations()
        else:
            before = self._sequences()
            self._roll_back(context, function)
            after = self._sequences()
            self._moved = tuple(
                Moved(name, value, after[name])
                for name, value in before.items()
                if name in after and after[name] != value
            )

    @contextmanager
    def watching(self, step: Step) -> Iterator[None]:
        """Note what *step* does."""
        with self._observer.watching(step, inherit=not self.commits):
            yield

    def _roll_back(self, context: Any, function: StepFunction) -> None:  # noqa: ANN401  (a module)
        transaction = self._connection.begin()
        try:
            # Alembic finds a transaction open, and so commits nothing.
            context.configure(connection=self._connection, fn=function)
            migration = context.get_context()
            migration.autocommit_block = lambda: self._noted_only(migration)
            context.run_migrations()
        finally:
            transaction.rollback()
        _log.warning("dry run: everything was rolled back")

    @contextmanager
    def _noted_only(self, migration: MigrationContext) -> Iterator[None]:
        """Note the statements of an autocommit block instead of executing them."""
        execute = migration.impl._exec

        def note(construct: Any, *_: object, **__: object) -> None:  # noqa: ANN401  (SQLAlchemy takes any)
            # Without the dialect's own way to write a parameter, each % would stand there twice.
            compiled = construct if isinstance(construct, str) else construct.compile(dialect=_NAMED)
            self._observer.skip(str(compiled))
            _log.warning("dry run: not executed, needs to run alone: %s", without_literals(str(compiled)))

        migration.impl._exec = note  # type: ignore[method-assign]
        try:
            yield
        finally:
            migration.impl._exec = execute  # type: ignore[method-assign]

    def _sequences(self) -> dict[str, int | None]:
        """Return the last number of each sequence that this login may read. Leaves no transaction open."""
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, Connection)
        with driver.cursor() as cursor:
            cursor.execute(_SQL["sequences"])
            found = dict(cursor.fetchall())
        driver.rollback()
        return found
