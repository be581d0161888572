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
from spotify_ai_agent_migrations.versions.core.locks import Session as Holder
from spotify_ai_agent_migrations.versions.core.locks import sessions
from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

Result = TypeVar("Result")

_EVERY: Final = (
    "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock",
    "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
)  # fmt: skip
# Which locks of others a mode waits for, as the documentation's table has it (chapter 13.3.1).
_CONFLICTS: Final = {
    "ACCESS SHARE": _EVERY[7:],
    "ROW SHARE": _EVERY[6:],
    "ROW EXCLUSIVE": _EVERY[4:],
    "SHARE UPDATE EXCLUSIVE": _EVERY[3:],
    "SHARE": (*_EVERY[2:4], *_EVERY[5:]),
    "SHARE ROW EXCLUSIVE": _EVERY[2:],
    "EXCLUSIVE": _EVERY[1:],
    "ACCESS EXCLUSIVE": _EVERY,
}
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
    blocked = ""
    for pause_s, timeout_ms in zip(pauses_s, manner.lock_timeouts_ms(), strict=True):
        standing = _in_the_way(session, manner, locks)
        if standing:
            blocked = "; ".join(map(str, standing))
        else:
            try:
                return _once(session, locks, timeout_ms, work)
            except psycopg2.Error as error:
                if error.pgcode not in RETRYABLE:
                    raise
                blocked = shown_message(error)
        waiting(blocked)
        if pause_s is not None:
            time.sleep(pause_s)
    raise LockError(
        f"gave up after {manner.patience.tries} tries of at most {manner.lock_timeout_ms} ms for "
        f"{_named(locks)}: {blocked}",
        hint="run it again when that session is gone; the steps that are done stay done",
    )


def _once(session: Session, locks: Sequence[Lock], timeout_ms: int, work: Callable[[], Result]) -> Result:
    yields = [lock for lock in locks if _CONFLICTS[lock.mode] != _CONFLICTS["ACCESS SHARE"]]

    def both() -> Result:
        for lock in yields:
            if session.value("vacuumed", table=lock.table):
                session.run(SQL("SET LOCAL lock_timeout = {}").format(Literal(f"{_YIELD_MS}ms")))
                session.run(f"LOCK TABLE {lock.table} IN SHARE UPDATE EXCLUSIVE MODE")
        session.run(SQL("SET LOCAL lock_timeout = {}").format(Literal(f"{timeout_ms}ms")))
        return work()

    return session.once(both)


def _in_the_way(session: Session, manner: Manner, locks: Sequence[Lock]) -> tuple[Holder, ...]:
    """Return the old transactions that *locks* would wait for, without those that were cancelled for it."""
    found: dict[int, Holder] = {}
    for lock in locks:
        rows = session.ask(
            "holders",
            table=lock.table,
            modes=list(_CONFLICTS[lock.mode]),
            older_s=manner.long_transaction_s,
        )
        found.update({holder.pid or -place: holder for place, holder in enumerate(sessions(rows), 1)})
    return tuple(holder for holder in found.values() if not _cancelled(session, manner, holder))


def _cancelled(session: Session, manner: Manner, holder: Holder) -> bool:
    """Cancel a session that the manner allows to be cancelled; tell whether it was."""
    if not holder.pid or not {f"role:{holder.user}", f"application:{holder.application}"} & manner.cancel:
        return False
    # A session that waits for its client has nothing to cancel.
    ended = "pg_terminate_backend" if holder.state.startswith("idle in transaction") else "pg_cancel_backend"
    session.note(f"cancelling {holder}")
    return bool(session.value(SQL("SELECT pg_catalog.{}({})").format(SQL(ended), Literal(holder.pid))))


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
