"""Run statements one by one: on a connection of their own, inside of a migration, or to be written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Composable, Literal

from spotify_ai_agent_migrations.versions.core.errors import LockError
from spotify_ai_agent_migrations.versions.core.locks import lock_key
from spotify_ai_agent_migrations.versions.core.session import (
    SPELLING,
    Bounds,
    BriefSession,
    Result,
    Row,
    opened,
)
from spotify_ai_agent_migrations.versions.core.sql import queries

__all__ = [
    "SPELLING",
    "STATEMENTS",
    "Bounds",
    "Inside",
    "Result",
    "Row",
    "Session",
    "Written",
    "lock_for_transaction",
    "maintenance_key",
    "opened",
    "said",
]

STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.partitioning")


def said(name: str, **parts: Composable) -> Composable:
    """Return a named statement with names and literals put in, without the line that says what it is for."""
    lines = [line for line in STATEMENTS[name].splitlines() if not line.startswith("--")]
    return SQL("\n".join(lines).rstrip(";")).format(**parts)


class Session(BriefSession):
    """A connection in autocommit that knows the statements of this room."""

    named = STATEMENTS

    def make_routine(self, made: Composable, routine: Composable, owner: str) -> None:
        """Make a function without arguments that nobody but its owner may call."""
        self.run(made)
        self.run(SQL("ALTER FUNCTION {}() OWNER TO {}").format(routine, SQL(owner)))
        self.run(SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(routine))
        # What default privileges gave.
        for (statement,) in self.ask("routine_grants", routine=self.text(routine)):
            self.run(statement)


class Inside(Session):
    """The transaction of a migration, which decides itself when it is tried again and when it ends."""

    alone = False

    def __init__(self, connection: Connection, execute: Callable[[str], object]) -> None:
        super().__init__(connection)
        self._execute = execute
        # The settings end with the migration's transaction.
        for setting, value in SPELLING.items():
            self.ask(
                SQL("SELECT pg_catalog.set_config({}, {}, true)").format(Literal(setting), Literal(value))
            )

    def run(self, statement: str | Composable) -> int:
        """Execute one statement the way the migration does, so that whoever watches it sees this one."""
        self._execute(self.text(statement))
        return 0

    def note(self, words: str) -> None:
        """Say nothing: the migration says which revision runs."""

    def transaction(self, work: Callable[[], Result]) -> Result:
        """Run *work* in the transaction that is open."""
        return work()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Leave the bounds of the migration as they are: everybody waits for what runs in it."""
        yield


class Written(Session):
    """Statements that are not executed: they are collected in the order in which they would be."""

    def __init__(self, connection: Connection, bounds: Bounds | None = None, *, alone: bool = True) -> None:
        super().__init__(connection, bounds)
        self.alone = alone
        self.statements: list[str] = []

    def note(self, words: str) -> None:
        """Say nothing: nothing is done."""

    def run(self, statement: str | Composable) -> int:
        """Write one statement down."""
        self.statements.append(self.text(statement))
        return 0

    def alone_briefly(self, statement: Composable, *, unless: Callable[[], bool]) -> None:
        """Write one statement down."""
        del unless
        self.run(statement)

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Write the statements of the block down like any other."""
        yield


def lock_for_transaction(session: Session, qualified: str) -> None:
    """Take the lock under which one table's partitions are made and taken away, until the transaction ends.

    Raises:
        LockError: another process is at it.
    """
    if isinstance(session, Written):
        return
    if not session.value("try_lock", key=maintenance_key(qualified)):
        raise LockError(
            f'the partitions of "{qualified}" are being worked on by another process',
            hint="let it finish; it does the same",
        )


def maintenance_key(qualified: str) -> int:
    """Return the advisory lock key of the partitions of a table."""
    return lock_key(f"partitioning:{qualified}")
