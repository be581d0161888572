"""Ask a server within a deadline that holds even where the server answers nothing at all."""

from __future__ import annotations

import select
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE, make_dsn
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.health_check.resolving import resolved

PURPOSE: Final = "agentdb health"
LOCK_TIMEOUT_MS: Final = 300
# What the way to the server and back may take beyond the time that the server was given.
_GRACE_S: Final = 0.1
_LEAST_MS: Final = 10
# Said of each transaction too: a pooler that lends a connection for one takes no options for a session.
_BEGIN: Final = (
    "BEGIN READ ONLY; SELECT pg_catalog.set_config('statement_timeout', %s, true),"
    " pg_catalog.set_config('lock_timeout', %s, true),"
    " pg_catalog.set_config('search_path', 'pg_catalog', true),"
    " pg_catalog.set_config('jit', 'off', true), pg_catalog.set_config('row_security', 'off', true)"
)
_NO_OPTIONS: Final = "unsupported startup parameter"


class NoAnswerError(Exception):
    """The server did not answer in time, or none was left to ask it; what it says is which."""


class NoTimeError(NoAnswerError):
    """The deadline was over before the server was asked."""


class LostError(NoAnswerError):
    """The connection was there, and is not any more."""


class Session:
    """One connection, read-only, that waits for nothing longer than it was told.

    The driver is asked without blocking: a server that is stopped in the middle keeps no thread of ours.
    """

    def __init__(self, settings: Settings, *, deadline: float) -> None:
        self._settings = settings
        self._deadline = deadline
        self._connection: Connection | None = None
        self.connected_s = 0.0

    @property
    def conninfo(self) -> Mapping[str, str]:
        """The parameters that it connects with, the password among them."""
        return self._settings.conninfo

    @property
    def left_s(self) -> float:
        """How many seconds there are left."""
        return self._deadline - time.monotonic()

    @property
    def server_version(self) -> int:
        """The version of the server, as 180006."""
        return self._connection.server_version if self._connection is not None else 0

    def open(self) -> None:
        """Connect.

        Raises:
            NoAnswerError: nothing was answered before the deadline.
            psycopg2.OperationalError: the connection was refused.
        """
        began = time.monotonic()
        # Each transaction is begun as read-only: the default of that is one of the things that are looked at.
        # As options of the session: a role of which statement_timeout is 1 ms can still ask.
        options = {
            "lock_timeout": LOCK_TIMEOUT_MS,
            "statement_timeout": max(_LEAST_MS, int(1000 * self.left_s)),
            "idle_in_transaction_session_timeout": 10_000,
            "search_path": "pg_catalog",
            # What is asked of catalogs is estimated too high, and compiled for longer than it takes.
            "jit": "off",
            # A policy would hide rows, and so what is wrong with them: rather be refused.
            "row_security": "off",
        }
        spoken = " ".join(f"-c {name}={value}" for name, value in options.items())
        parameters: dict[str, Any] = {
            "application_name": PURPOSE,
            "client_encoding": "UTF8",
            **self._resolved(),
            "options": f"{self._settings.conninfo.get('options', '')} {spoken}".strip(),
        }
        try:
            self._connect(parameters)
        except psycopg2.OperationalError as error:
            if _NO_OPTIONS not in str(error):
                raise
            self.close()
            self._connect({**parameters, "options": ""})
        self.connected_s = time.monotonic() - began

    def _connect(self, parameters: Mapping[str, Any]) -> None:
        self._connection = psycopg2.connect(make_dsn(**parameters), async_=1)
        self._wait(self._deadline)

    def rows(
        self,
        statement: str,
        values: Mapping[str, object] | None = None,
        *,
        most_s: float,
        lock_ms: int = LOCK_TIMEOUT_MS,
    ) -> Sequence[tuple[Any, ...]]:
        """Return the rows of *statement*, asked in a transaction of its own that is committed.

        lock_ms: for how long it may wait for a lock.

        Raises:
            NoAnswerError: nothing was answered in *most_s*, or before the deadline, or that is over.
            psycopg2.Error: the server refused it, or took longer than it was given.
        """
        assert self._connection is not None
        given_s = min(most_s, self.left_s)
        if given_s <= 0:
            raise NoTimeError("there was no time left")
        until = time.monotonic() + given_s + _GRACE_S
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(_BEGIN, (f"{max(_LEAST_MS, int(1000 * given_s))}ms", f"{lock_ms}ms"))
                self._wait(until)
                cursor.execute(statement, values)
                self._wait(until)
                found = cursor.fetchall()
                # A rollback would be counted, and look like one of the application's.
                cursor.execute("COMMIT")
                self._wait(until)
            except (psycopg2.Error, ValueError) as error:
                # The time may be over in the COMMIT as well: what comes next would be refused with it.
                with suppress(psycopg2.Error):
                    cursor.execute("ROLLBACK")
                    self._wait(until)
                if isinstance(error, psycopg2.Error):
                    raise
                # A name that all databases share is in the encoding of the one that it was given in.
                raise psycopg2.DataError("what it says cannot be read") from error
            return found

    def shown(self, statement: str, values: Mapping[str, object]) -> str:
        """Return *statement* as it is sent: *values* as literals in their places."""
        assert self._connection is not None
        with self._connection.cursor() as cursor:
            return cursor.mogrify(statement, values).decode()

    def close(self) -> None:
        """Close the connection, without a word to the server."""
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    def _wait(self, until: float) -> None:
        """Wait until the server has answered.

        Raises:
            NoAnswerError: it has not at *until*, a time of the monotonic clock.
        """
        assert self._connection is not None
        while (state := self._state()) != POLL_OK:
            left_s = until - time.monotonic()
            place = self._connection.fileno()
            reading = [place] if state == POLL_READ else []
            writing = [place] if state == POLL_WRITE else []
            if left_s <= 0 or not any(select.select(reading, writing, [], left_s)):
                self.close()
                raise NoAnswerError("the server did not answer")

    def _state(self) -> int:
        """Return what the driver waits for.

        Raises:
            LostError: the connection broke.
            psycopg2.Error: the connection or the statement was refused.
        """
        assert self._connection is not None
        try:
            return int(self._connection.poll())
        except UnicodeDecodeError as error:
            # What a server says before it knows whom to is in an encoding of its own.
            raise psycopg2.OperationalError("refused, in words that cannot be read") from error
        except psycopg2.Error as error:
            if self.connected_s and self._connection.closed:
                raise LostError("the connection was lost") from error
            raise

    def _resolved(self) -> dict[str, str]:
        try:
            return resolved(self._settings.conninfo, self._deadline)
        except TimeoutError as error:
            raise NoAnswerError("the server did not answer") from error
