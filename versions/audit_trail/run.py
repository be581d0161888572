"""Seal once, seal again and again, redact: what programs call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED
from psycopg2.extensions import connection as Connection

from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal
from spotify_ai_agent_migrations.versions.audit_trail.plan import Signer
from spotify_ai_agent_migrations.versions.audit_trail.sealing import (
    BLOCK_ROWS,
    Anchored,
    Continues,
    beat,
    redact_entries,
    seal_pending,
    tell,
)
from spotify_ai_agent_migrations.versions.audit_trail.sinks import Sink
from spotify_ai_agent_migrations.versions.core.database import connect, translated
from spotify_ai_agent_migrations.versions.core.errors import MigrationError, SettingsError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings

EVERY_S: Final = 1.0
_PURPOSE: Final = "agentdb audit-trail"
_KEY: Final = lock_key("audit-trail seal")
_CALLED: Final = "the lock of whoever seals"
_BEAT_S: Final = 60.0
_WAIT_MS: Final = 10_000
_PAUSE_MOST_S: Final = 30.0


@dataclass(frozen=True)
class Round:
    """What one round has sealed, and what the sinks got of that and of what they had not got before."""

    seals: tuple[Seal, ...]
    anchored: tuple[Anchored, ...] = ()

    @property
    def entry_count(self) -> int:
        """How many entries it sealed."""
        return sum(seal.entry_count for seal in self.seals)

    @property
    def problems(self) -> tuple[str, ...]:
        """What kept digests from arriving; the next round sends them again."""
        return tuple(f"{each.sink}: {each.problem}" for each in self.anchored if each.problem)


def seal(
    url: str | None = None,
    *,
    key: Signer,
    sinks: Sequence[Sink] = (),
    block_rows: int = BLOCK_ROWS,
    wait_ms: int = _WAIT_MS,
) -> Round:
    """Seal all entries of transactions that have ended, and send the digests to *sinks*.

    Locks: an advisory lock, that one at a time does it; nobody who reads or writes waits.

    Raises:
        LockError: somebody else was at it for longer than *wait_ms*.
        PrivilegeError: the login may not; it has to be a member of agent_sealer.
    """
    with connect(resolve_settings(url), purpose=_PURPOSE, row_security=False) as connection:
        return _round(connection, key, sinks, block_rows=block_rows, wait_ms=wait_ms, goes_on=lambda: True)


def seal_every(
    url: str | None = None,
    *,
    key: Signer,
    sinks: Sequence[Sink] = (),
    every_s: float = EVERY_S,
    stopped: threading.Event,
    told: Callable[[Round], None],
    failed: Callable[[MigrationError], None],
) -> None:
    """Seal every so many seconds until *stopped* is set, which ends it after the block at hand.

    A lost connection, a lock that is not free, whatever the server refuses is told to *failed*, and tried
    again after a pause that grows. `told` gets each round that sealed or told anything.

    Raises:
        SettingsError: what to connect to is missing or malformed.
    """
    settings = resolve_settings(url)
    pause_s = every_s
    while not stopped.is_set():
        try:
            with connect(settings, purpose=_PURPOSE, row_security=False) as connection:
                for done in _rounds(connection, key, sinks, every_s=every_s, stopped=stopped):
                    pause_s = every_s
                    if done.seals or done.anchored:
                        told(done)
        except SettingsError:
            raise
        except MigrationError as error:
            failed(error)
            stopped.wait(pause_s)
            pause_s = min(2 * max(pause_s, 0.1), _PAUSE_MOST_S)


def redact(entries: Sequence[int], url: str | None = None) -> int:
    """Take from sealed entries what could name somebody, in one transaction; return how many had it yet.

    Each redaction is an entry of the trail itself. The entry goes on to be verified, by what stands for the
    parts that are gone.

    Raises:
        DatabaseError: one is not sealed yet, or is not in the trail; nothing was changed.
        PrivilegeError: the login may not; it has to be a member of agent_privacy.
    """
    with connect(resolve_settings(url), purpose=_PURPOSE, row_security=False) as connection:
        return redact_entries(connection, entries)


def _rounds(
    connection: Connection, key: Signer, sinks: Sequence[Sink], *, every_s: float, stopped: threading.Event
) -> Iterator[Round]:
    beaten = -_BEAT_S
    while not stopped.is_set():
        began = time.monotonic()
        done = _round(connection, key, sinks, goes_on=lambda: not stopped.is_set())
        yield done
        if not done.problems and began - beaten >= _BEAT_S:
            beat(connection)
            beaten = began
        stopped.wait(max(0.0, began + every_s - time.monotonic()))


def _round(
    connection: Connection,
    key: Signer,
    sinks: Sequence[Sink],
    *,
    block_rows: int = BLOCK_ROWS,
    wait_ms: int = _WAIT_MS,
    goes_on: Continues,
) -> Round:
    with translated(), advisory_lock(connection, _KEY, wait_ms=wait_ms, called=_CALLED):
        made = tuple(seal_pending(connection, key, block_rows=block_rows, goes_on=goes_on))
        connection.set_session(isolation_level=ISOLATION_LEVEL_READ_COMMITTED)
        anchored = (tell(connection, sink) for sink in sinks)
        return Round(made, tuple(each for each in anchored if each.seals or each.problem))
