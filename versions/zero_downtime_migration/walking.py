"""Fill one range to its end: batches that grow and shrink, and are split when one fails or has to wait."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

import psycopg2

from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE
from spotify_ai_agent_migrations.versions.zero_downtime_migration import blame
from spotify_ai_agent_migrations.versions.zero_downtime_migration.batch import Batch, Job, Refused, write
from spotify_ai_agent_migrations.versions.zero_downtime_migration.gate import Gate
from spotify_ai_agent_migrations.versions.zero_downtime_migration.pace import Pace
from spotify_ai_agent_migrations.versions.zero_downtime_migration.ranges import Range
from spotify_ai_agent_migrations.versions.zero_downtime_migration.row_order import At
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session


@dataclass
class _Walk:
    """Where a walk is: behind `at`; `suspects` rows are left in which one is that a batch has failed at.

    `density` is that of the batch before where the end of the next is reckoned by it: not among suspects.
    """

    at: At | None
    rows: int
    density: float | None = None
    suspects: int = 0
    waited_since: float | None = None
    eased: int = 0


def walk(session: Session, job: Job, one: Range, pace: Pace, gate: Gate) -> int:
    """Fill a range from where it is to its end, and forget its keys; return how many rows were written.

    Raises:
        TableError: a row cannot be filled; it is named, and all before it is filled.
        LockError: a row is held by another session for longer than the pace waits.
        Over: the gate was closed for good.
    """
    now = _Walk(one.at, one.batch_rows or pace.first_rows, eased=gate.eased)
    written = 0
    while True:
        gate.enter(pace.pause_s)
        _ease(now, gate, pace)
        began_s = time.monotonic()
        try:
            done = write(session, job, one, now.at, now.rows, now.density)
        except Refused as refused:
            _failed(session, job, one, now, pace, refused.error)
            continue
        except psycopg2.Error as error:
            # Not of these rows, but of the ledger or the server.
            if error.pgcode not in RETRYABLE:
                raise
            _failed(session, job, one, now, pace, error)
            continue
        took_s, share = time.monotonic() - began_s, pace.part if gate.is_shared else 1.0
        written += done.written
        _passed(now, done, pace, took_s, share)
        gate.rest(took_s / share - took_s)
        if done.last:
            return written


def _ease(now: _Walk, gate: Gate, pace: Pace) -> None:
    """Take half as many rows when somebody had to wait for the last ones."""
    if now.eased != gate.eased:
        now.eased = gate.eased
        now.rows = max(pace.least_rows, now.rows // 2)


def _passed(now: _Walk, done: Batch, pace: Pace, took_s: float, share: float) -> None:
    now.at, now.waited_since = done.upto, None
    now.suspects = max(0, now.suspects - now.rows)
    now.density = None if now.suspects else done.density
    now.rows = max(1, now.suspects // 2) if now.suspects else pace.next_rows(now.rows, took_s, share)


def _failed(session: Session, job: Job, one: Range, now: _Walk, pace: Pace, error: psycopg2.Error) -> None:
    """Make ready for half of it; of one row, say which it is."""
    if session.connection.closed:
        raise error
    session.run("ROLLBACK")
    if now.rows > 1:
        # Of one whose last key was reckoned, twice as many.
        now.suspects, now.rows = now.rows * (1 if now.density is None else 2), now.rows // 2
    elif error.pgcode not in RETRYABLE:
        raise blame.failing_row(session, job, one, now.at, error) from error
    else:
        _wait(session, one, now, pace, error)
    now.density = None


def _wait(session: Session, one: Range, now: _Walk, pace: Pace, error: psycopg2.Error) -> None:
    now.waited_since = now.waited_since or time.monotonic()
    waited_s = time.monotonic() - now.waited_since
    if waited_s >= pace.row_wait_s:
        raise blame.held_row(session, one, pace.row_wait_s) from error
    time.sleep(0.02 + 0.1 * random.random())  # noqa: S311  (jitter, not a secret)
