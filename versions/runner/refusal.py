"""Keep what production was refused in the journal, whichever gate it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.core.database import connect, open_connection
from spotify_ai_agent_migrations.versions.core.errors import (
    GovernanceError,
    MigrationError,
    RevisionError,
)
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import is_production
from spotify_ai_agent_migrations.versions.runner.entry import Direction, Entry
from spotify_ai_agent_migrations.versions.runner.journal import Journal
from spotify_ai_agent_migrations.versions.runner.offline import VERSION_TABLE
from spotify_ai_agent_migrations.versions.runner.options import Options

_log: Final = logging.getLogger("spotify_ai_agent_migrations")
# ValueError: of text that no database holds, such as a NUL.
_UNKEPT: Final = (psycopg2.Error, MigrationError, ValueError)
# What the functions are called that Alembic makes the steps of a command with.
_VERBS: Final[dict[str, Direction]] = {"downgrade": "downgrade", "do_stamp": "stamp"}


def asked(function: object) -> Direction:
    """Return what a command was to do, by the function that makes its steps."""
    return _VERBS.get(getattr(function, "__name__", ""), "upgrade")


class Refusals:
    """Writes what the gates of one command refuse, if that is to be *kept*; call it under the lock."""

    def __init__(self, into: Journal, direction: Direction, *, kept: bool) -> None:
        self._into = into
        self._direction = direction
        self._kept = kept

    @contextmanager
    def of(self, gate: str) -> Iterator[None]:
        """Write what the block refuses as refused by *gate*."""
        try:
            yield
        except (GovernanceError, RevisionError) as error:
            self.write(_entry(self._direction, gate, error))
            raise

    def write(self, entry: Entry) -> None:
        """Write that something is refused; that must never hide why."""
        if not self._kept:
            return
        try:
            self._into.write(entry)
        except _UNKEPT as second:
            _unsaid(second)


@contextmanager
def findings_kept(options: Options, direction: Direction, *, running: bool) -> Iterator[None]:
    """Write that the rules refuse what the block holds against them, before anybody has connected.

    Waits for the lock of the migration, as the command would have. Nothing is kept where it is not *running*.
    """
    try:
        yield
    except GovernanceError as error:
        if running and not options.dry_run and is_production():
            try:
                _write_alone(options, _entry(direction, "findings", error))
            except _UNKEPT as second:
                _unsaid(second)
        raise


def _write_alone(options: Options, entry: Entry) -> None:
    settings = options.settings()
    opener = partial(open_connection, settings, purpose="agentdb journal", actor="migration")
    with (
        connect(settings, purpose="agentdb migrate") as connection,
        closing(Journal(opener)) as into,
        advisory_lock(connection, lock_key(VERSION_TABLE), wait_ms=options.wait_ms),
    ):
        into.write(entry)


def _entry(direction: Direction, gate: str, error: MigrationError) -> Entry:
    return Entry(direction=direction, state="refused", reason=error.problem, details={"gate": gate})


def _unsaid(error: Exception) -> None:
    _log.warning("the journal does not say that it was refused: %s", type(error).__name__)
