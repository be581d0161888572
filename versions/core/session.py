"""Run statements one by one in autocommit: briefly, tried again while others are in the way, or patiently."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn
from psycopg2.sql import SQL, Composable, Identifier, Literal

from spotify_ai_agent_migrations.versions.core.database import open_connection, shown_message
from spotify_ai_agent_migrations.versions.core.errors import LockError
from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE, Patience
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries

Row = tuple[Any, ...]
Result = TypeVar("Result")

# How times are written and read, whatever the session is used to.
SPELLING: Final = {"TimeZone": "UTC", "DateStyle": "ISO", "IntervalStyle": "postgres"}
_CORE: Final = queries("spotify_ai_agent_migrations.versions.core")
_LONG: Final = "12h"
_PATIENCE: Final = Patience(tries=60, base_s=0.2, most_s=3.0)
# An index build waits for every transaction that is older than it.
_LONG_WAIT: Final = "30min"
_log: Final = logging.getLogger("spotify_ai_agent_migrations")


@dataclass(frozen=True)
class Bounds:
    """How long one lock may be waited for, and how patiently a transaction is tried again."""

    lock_timeout_ms: int = 300
    patience: Patience = _PATIENCE


class BriefSession:
    """A connection in autocommit, whose transactions are tried again as a whole when they are in the way.

    `named` are the statements that are asked by name.
    """

    named: ClassVar[Mapping[str, str]] = {}
    # Whether statements that cannot run in a transaction may be used.
    alone = True

    def __init__(self, connection: Connection, bounds: Bounds | None = None) -> None:
        self.connection = connection
        self.bounds = bounds or Bounds()

    def ask(self, statement: str | Composable, **values: object) -> list[Row]:
        """Return the rows of a named statement, or of one that is made of names."""
        with self.connection.cursor() as cursor:
            if isinstance(statement, str):
                cursor.execute(self.named[statement], values)
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

    def note(self, words: str) -> None:
        """Say what is done next."""
        _log.info("%s", words)

    def transaction(self, work: Callable[[], Result]) -> Result:
        """Run *work* in one transaction with a short lock time-out, again until it passes or patience ends.

        Raises:
            LockError: something was in the way at every try; nothing of *work* is done.
        """

        def bounded() -> Result:
            self.run(SQL("SET LOCAL lock_timeout = {}").format(Literal(f"{self.bounds.lock_timeout_ms}ms")))
            return work()

        return self._again(lambda: self.once(bounded))

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

    def once(self, work: Callable[[], Result]) -> Result:
        """Run *work* in one transaction, once."""
        self.run("BEGIN")
        try:
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
        before = self.ask(SQL(_CORE["time_outs"]))[0]
        self._let(statement_timeout, lock_timeout)
        try:
            yield
        finally:
            if not self.connection.closed:
                self._let(*before)

    def _let(self, statement_timeout: str, lock_timeout: str) -> None:
        self.run(
            SQL(_CORE["set_time_outs"]).format(
                statement_timeout=Literal(statement_timeout), lock_timeout=Literal(lock_timeout)
            )
        )


@contextmanager
def beside(connection: Connection, role: str = "none") -> Iterator[Connection]:
    """Open a connection like *connection*, by the same login, with its time-outs, for the block.

    role: what the setting `role` is to be; the connection is not asked for its own, another thread uses it.
    """
    told = {**connection.info.dsn_parameters, "password": connection.info.password or ""}
    dsn = make_dsn(**{name: value for name, value in told.items() if value})
    with closing(psycopg2.connect(dsn)) as other:
        other.autocommit = True
        with other.cursor() as cursor:
            cursor.execute(SQL("SET role = {}").format(Literal(role)))
            for setting, value in SPELLING.items():
                cursor.execute(SQL("SET {} = {}").format(Identifier(setting), Literal(value)))
        yield other


@contextmanager
def opened(settings: Settings, purpose: str) -> Iterator[Connection]:
    """Open a connection in autocommit for the block, which writes and reads times in one way, and in UTC."""
    with closing(open_connection(settings, purpose=purpose, row_security=False)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting, value in SPELLING.items():
                cursor.execute(SQL("SET {} = {}").format(Identifier(setting), Literal(value)))
        yield connection
