"""Take a strong lock so that nobody notices: not behind a long transaction, briefly, and again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import psycopg2
from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import LockError
from spotify_ai_agent_migrations.versions.core.locks import sessions
from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE
from spotify_ai_agent_migrations.versions.zero_downtime_migration.blocking import (
    Blockers,
    is_vacuum_in_the_way,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

Result = TypeVar("Result")

# A vacuum that nobody ordered ends itself for whoever has waited `deadlock_timeout` for it, a second by
# default; under this mode others read and write meanwhile.
_YIELD_MS: Final = 3_000


def strongly(
    session: Session,
    manner: Manner,
    locks: Sequence[Lock],
    work: Callable[[], Result],
    waiting: Callable[[str], None],
) -> Result:
    """Run *work*, which takes *locks*, in one transaction; again until it passes or patience ends.

    Before each try those are looked for who would be in the way: behind a transaction that is older than the
    manner's bound, or prepared, no lock is asked for, so that nobody queues behind it; *waiting* is told who
    it is.

    Raises:
        LockError: somebody, who is named, was in the way at every try; nothing of *work* is done.
    """
    pauses_s = [*manner.patience.pauses_s(random.Random()), None]  # noqa: S311  (jitter, not a secret)
    others = Blockers(session, manner, locks)
    blocked, remedies = "", ""
    for pause_s, timeout_ms in zip(pauses_s, manner.lock_timeouts_ms(), strict=True):
        standing = others.standing()
        if not standing:
            try:
                return _once(session, locks, timeout_ms, work)
            except psycopg2.Error as error:
                if error.pgcode not in RETRYABLE:
                    raise
                blocked = shown_message(error)
                standing = tuple(one.holder for one in others.now())
                blocked = "; ".join([blocked, *map(str, standing)])
        else:
            blocked = "; ".join(map(str, standing))
        remedies = " or ".join(holder.remedy.rstrip(";") for holder in standing)
        waiting(blocked)
        if pause_s is not None:
            time.sleep(pause_s)
    raise LockError(
        f"gave up after {manner.patience.tries} tries of at most {manner.lock_timeout_ms} ms for "
        f"{_named(locks)}: {blocked}",
        hint="run it again when that session is gone"
        + (f", or end it: {remedies}" if remedies else "")
        + "; the steps that are done stay done",
    )


def _once(session: Session, locks: Sequence[Lock], timeout_ms: int, work: Callable[[], Result]) -> Result:
    def both() -> Result:
        for lock in locks:
            if is_vacuum_in_the_way(session, lock):
                session.run(SQL("SET LOCAL lock_timeout = {}").format(Literal(f"{_YIELD_MS}ms")))
                session.run(f"LOCK TABLE {lock.table} IN SHARE UPDATE EXCLUSIVE MODE")
        session.run(SQL("SET LOCAL lock_timeout = {}").format(Literal(f"{timeout_ms}ms")))
        return work()

    return session.once(both)


def held_up(session: Session, manner: Manner, step: Step) -> LockError:
    """Return the error of a step that has waited for others as long as it may, and names them."""
    rows = session.ask("older_transactions", older_s=manner.alone_wait_ms / 1_000)
    named = "; ".join(map(str, sessions(rows))) or "a session that has just ended"
    return LockError(
        f'the step "{step.name}" has waited {manner.alone_wait_ms} ms for older transactions to end: {named}',
        hint="run it again when they are gone, or abort it; the steps that are done stay done",
    )


def _named(locks: Sequence[Lock]) -> str:
    return " and ".join(f"{lock.mode} on {lock.table}" for lock in locks) or "no lock"
