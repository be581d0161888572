"""Keep what production was refused in the journal, whichever gate it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2

from spotify_ai_agent_migrations.versions.core.errors import (
    GovernanceError,
    MigrationError,
    RevisionError,
)
from spotify_ai_agent_migrations.versions.runner.entry import Direction, Entry
from spotify_ai_agent_migrations.versions.runner.journal import Journal

_log: Final = logging.getLogger("spotify_ai_agent_migrations")
# What the functions are called that Alembic makes the steps of a command with.
_VERBS: Final[dict[str, Direction]] = {"downgrade": "downgrade", "do_stamp": "stamp"}


def asked(function: object) -> Direction:
    """Return what a command was to do, by the function that makes its steps."""
    return _VERBS.get(getattr(function, "__name__", ""), "upgrade")


class Refusals:
    """Writes what the gates of one command in production refuse; call it under the migration lock."""

    def __init__(self, into: Journal, direction: Direction, *, mend: Callable[[], None] | None) -> None:
        """Keep nothing without *mend*, which ends an attempt that was killed: it is no run in production."""
        self._into = into
        self._direction = direction
        self._mend = mend

    @contextmanager
    def of(self, gate: str) -> Iterator[None]:
        """Write what the block refuses as refused by *gate*."""
        try:
            yield
        except (GovernanceError, RevisionError) as error:
            self.write(
                Entry(
                    direction=self._direction,
                    state="refused",
                    reason=error.problem,
                    details={"gate": gate},
                )
            )
            raise

    def write(self, entry: Entry) -> None:
        """Write that something is refused; that must never hide why."""
        if self._mend is None:
            return
        try:
            # An attempt whose process was killed is known by being the last entry.
            self._mend()
            self._into.write(entry)
        except (psycopg2.Error, MigrationError) as second:
            _log.warning("the journal does not say that it was refused: %s", type(second).__name__)
