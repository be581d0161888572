"""Keep watch over the statements of a revision that cannot run in a transaction.

Such a revision is nothing but autocommit blocks, each statement of which can be run again: what comes before
a block is committed by it, and what comes after cannot be undone together with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import sqlalchemy
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, text

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, RevisionError
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.runner.steps import Step

_SQL: Final = queries("spotify_ai_agent_migrations.versions.runner")


# What only looks may stand beside a block: whether there is anything to do, and whether it was done.
_LOOKING: Final = ("SELECT", "SHOW")


class Alone:
    """Whether the step at work has left its transaction, and what it did outside."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection
        self._step: Step | None = None
        self._inside = False
        self._before = 0
        self._outside: list[str] = []
        self.committed = False
        event.listen(connection, "before_cursor_execute", self._see)

    @contextmanager
    def watching(self, migration: MigrationContext, step: Step) -> Iterator[None]:
        """Watch *step*; its `autocommit_block` is ours until it ends."""
        self._step, self._before, self._outside, self.committed = step, 0, [], False
        original = migration.autocommit_block
        migration.autocommit_block = lambda: self._block(original)  # type: ignore[method-assign]
        try:
            yield
        finally:
            # What Alembic itself executes from here on is not the revision's.
            self._step = None
            migration.autocommit_block = original  # type: ignore[method-assign]

    @contextmanager
    def _block(self, original: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        if self._before:
            raise self._mixed("an autocommit block follows other statements, which it would commit")
        self.committed = self._inside = True
        try:
            with original():
                yield
        finally:
            self._inside = False
        self._refuse_invalid_indexes()

    def remedy(self) -> str:
        """Say how to go on after a failure outside of a transaction, which has been rolled back."""
        try:
            invalid = self._invalid_indexes()
            self._connection.rollback()
        except sqlalchemy.exc.DBAPIError:
            invalid = []
        drops = " ".join(f"DROP INDEX CONCURRENTLY {name};" for name in invalid)
        again = "run it again when what was in the way is gone; each statement must bear being repeated"
        return f"a half-built index is left: {drops} then {again}" if drops else again

    def _see(self, _: object, __: object, statement: str, *___: Any) -> None:  # noqa: ANN401
        if self._step is None:
            return
        if self._inside:
            self._outside.append(statement)
        elif statement.lstrip().upper().startswith(_LOOKING):
            return
        elif self.committed:
            raise self._mixed(
                "a statement follows an autocommit block, and could fail when the block is done"
            )
        else:
            self._before += 1

    def _refuse_invalid_indexes(self) -> None:
        """`IF NOT EXISTS` takes a half-built index of an earlier run for a finished one."""
        step, self._step = self._step, None
        invalid = self._invalid_indexes()
        self._step = step
        if invalid:
            raise DatabaseError(
                f'{step} failed: index "{invalid[0]}" is there and invalid',
                hint=f"a build of it was cut off: DROP INDEX CONCURRENTLY {invalid[0]}; then run it again",
            )

    def _invalid_indexes(self) -> list[str]:
        """Return the invalid indexes that the statements of the block named."""
        said = " ".join(self._outside)
        found = self._connection.execute(text(_SQL["invalid_indexes"])).all()
        return [str(name) for name, plain in found if str(plain) in said]

    def _mixed(self, what: str) -> RevisionError:
        return RevisionError(
            f"{self._step} mixes transactions: {what}",
            hint="give the autocommit block a revision of its own; what was committed stays",
        )
