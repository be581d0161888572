"""Run statements one by one: on a connection of their own, inside of a migration, or to be written down."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import open_connection, shown_message
from spotify_ai_agent_migrations.versions.core.errors import LockError
from spotify_ai_agent_migrations.versions.core.locks import lock_key
from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE, Patience
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries

STATEMENTS: Final = queries("spotify_ai_agent_migrations.versions.partitioning")
Row = tuple[Any, ...]
Result = TypeVar("Result")

# How bounds are written and read, whatever the session is used to.
SPELLING: Final = {"TimeZone": "UTC", "DateStyle": "ISO", "IntervalStyle": "postgres"}
_LONG: Final = "12h"
_PATIENCE: Final = Patience(tries=60, base_s=0.2, most_s=3.0)
# An index build waits for every transaction that is older than it.
_LONG_WAIT: Final = "30min"
_log: Final = logging.getLogger("spotify_ai_agent_migrations")


def said(name: str, **parts: Composable) -> Composable:
    """Return a named statement with names and literals put in, without the line that says what it is for."""
    lines = [line for line in STATEMENTS[name].splitlines() if not line.startswith("--")]
    return SQL("\n".join(lines).rstrip(";")).format(**parts)


@dataclass(frozen=True)
class Bounds:
    """How long one lock may be waited for, and how patiently a transaction is tried again."""

    lock_timeout_ms: int = 300
    patience: Patience = _PATIENCE


class Session:
    """A connection in autocommit, whose transactions are tried again as a whole when they are in the way."""

    # Whether statements that cannot run in a transaction may be used.
    alone = True

    def __init__(self, connection: Connection, bounds: Bounds | None = None) -> None:
        self.connection = connection
        self.bounds = bounds or Bounds()

    def ask(self, statement: str | Composable, **values: object) -> list[Row]:
        """Return the rows of a named statement, or of one that is made of names."""
        with self.connection.cursor() as cursor:
            if isinstance(statement, str):
                cursor.execute(STATEMENTS[statement], values)
            else:
                # A name may hold a percent sign.
                cursor.execute(statement, values or None)
            return cursor.fetchall()

    def value(self, statement: str | Composable, **values: object) -> Any:  # noqa: ANN401  (whatever it is)
        """Return the first value of the first row."""
        found = self.ask(statement, **values)
        return found[0][0] if found else None

    def run(self, statement: str | Composable) -> int:
        """Execute one statement; return how many rows it changed."""
        with self.connection.cursor() as cursor:
            cursor.execute(self.text(statement))
            return cursor.rowcount

    def text(self, statement: str | Composable) -> str:
        """Return *statement* as it is sent."""
        return statement if isinstance(statement, str) else statement.as_string(self.connection)

    def make_routine(self, made: Composable, routine: Composable, owner: str) -> None:
        """Make a function without arguments that nobody but its owner may call."""
        self.run(made)
        self.run(SQL("ALTER FUNCTION {}() OWNER TO {}").format(routine, SQL(owner)))
        self.run(SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(routine))
        # What default privileges gave.
        for (statement,) in self.ask("routine_grants", routine=self.text(routine)):
            self.run(statement)

    def note(self, words: str) -> None:
        """Say what is done next."""
        _log.info("%s", words)

    def transaction(self, work: Callable[[], Result]) -> Result:
        """Run *work* in one transaction with a short lock time-out, again until it passes or patience ends.

        Raises:
            LockError: something was in the way at every try; nothing of *work* is done.
        """
        return self._again(lambda: self._once(work))

    def alone_briefly(self, statement: Composable, *, unless: Callable[[], bool]) -> None:
        """Run a statement that cannot run in a transaction and that others wait behind while it waits.

        Not again when *unless* tells that a try has done enough.
        """
        tried = False

        def once() -> None:
            nonlocal tried
            if tried and unless():
                return
            tried = True
            with self._let_for(_LONG, f"{self.bounds.lock_timeout_ms}ms"):
                self.run(statement)

        self._again(once)

    def _again(self, once: Callable[[], Result]) -> Result:
        pauses_s = self.bounds.patience.pauses_s(random.Random())  # noqa: S311  (jitter, not a secret)
        while True:
            try:
                return once()
            except psycopg2.Error as error:
                if error.pgcode not in RETRYABLE:
                    raise
                pause_s = next(pauses_s, None)
                if pause_s is None:
                    raise LockError(
                        f"gave up after {self.bounds.patience.tries} tries of {self.bounds.lock_timeout_ms} "
                        f"ms: {shown_message(error)}",
                        hint="run it again when the blocking session is gone; what is done already is kept",
                    ) from error
                _log.info("%s; trying again in %.1f s", shown_message(error), pause_s)
                time.sleep(pause_s)

    def _once(self, work: Callable[[], Result]) -> Result:
        self.run("BEGIN")
        try:
            self.run(SQL("SET LOCAL lock_timeout = {}").format(Literal(f"{self.bounds.lock_timeout_ms}ms")))
            done = work()
            self.run("COMMIT")
        except BaseException:
            if not self.connection.closed:
                self.run("ROLLBACK")
            raise
        return done

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Let a statement of the block take hours and wait minutes: nobody waits for it meanwhile."""
        with self._let_for(_LONG, _LONG_WAIT):
            yield

    @contextmanager
    def _let_for(self, statement_timeout: str, lock_timeout: str) -> Iterator[None]:
        before = self.ask("time_outs")[0]
        self._let(statement_timeout, lock_timeout)
        try:
            yield
        finally:
            if not self.connection.closed:
                self._let(*before)

    def _let(self, statement_timeout: str, lock_timeout: str) -> None:
        self.run(
            said(
                "set_time_outs",
                statement_timeout=Literal(statement_timeout),
                lock_timeout=Literal(lock_timeout),
            )
        )


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


@contextmanager
def opened(settings: Settings, purpose: str) -> Iterator[Connection]:
    """Open a connection in autocommit for the block, which writes and reads times in one way, and in UTC."""
    with closing(open_connection(settings, purpose=purpose, row_security=False)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting, value in SPELLING.items():
                cursor.execute(SQL("SET {} = {}").format(Identifier(setting), Literal(value)))
        yield connection
