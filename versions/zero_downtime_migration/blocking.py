"""Tell who is in the way of a lock and for how long already; cancel those who may be cancelled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2.sql import SQL, Literal

from spotify_ai_agent_migrations.versions.core.locks import Session as Holder
from spotify_ai_agent_migrations.versions.core.locks import sessions
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Lock
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

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


@dataclass(frozen=True)
class Blocker:
    """Somebody who holds what a lock waits for; `transaction` is the server's name for what he is doing.

    `is_old` is None where this role may not see since when. A vacuum that nobody ordered `yields`.
    """

    holder: Holder
    transaction: str
    is_old: bool | None
    yields: bool


def blockers(session: Session, table: str, modes: Sequence[str], older_s: float) -> tuple[Blocker, ...]:
    """Return those who hold a table in one of these modes, in the words of `pg_locks`."""
    rows = session.ask("holders", table=table, modes=list(modes), older_s=older_s)
    return tuple(Blocker(sessions([row[:5]])[0], *row[5:]) for row in rows)


class Blockers:
    """Those in the way of some locks, remembered from one try to the next."""

    def __init__(self, session: Session, manner: Manner, locks: Sequence[Lock]) -> None:
        self._session = session
        self._manner = manner
        self._locks = locks
        self._seen_s: dict[str, float] = {}

    def now(self) -> tuple[Blocker, ...]:
        """Return everybody who holds what the locks wait for."""
        older_s = self._manner.long_transaction_s
        found = {
            one.transaction: one
            for lock in self._locks
            for one in blockers(self._session, lock.table, _CONFLICTS[lock.mode], older_s)
        }
        return tuple(found.values())

    def standing(self) -> tuple[Holder, ...]:
        """Return those who stay too long to queue behind, without those who were cancelled for it."""
        lasting = [one.holder for one in self.now() if self._lasts(one)]
        return tuple(holder for holder in lasting if not self._cancelled(holder))

    def _lasts(self, blocker: Blocker) -> bool:
        """Tell whether a transaction is old: one whose age is hidden, when it was seen at an earlier try."""
        if blocker.yields:
            return False
        if blocker.is_old is not None:
            return blocker.is_old
        seen_s = self._seen_s.get(blocker.transaction)
        if seen_s is None:
            self._seen_s[blocker.transaction] = time.monotonic()
            return False
        return time.monotonic() - seen_s >= self._manner.long_transaction_s

    def _cancelled(self, holder: Holder) -> bool:
        """Cancel a session that the manner allows to be cancelled; tell whether it was."""
        allowed = self._manner.cancel
        if not holder.pid or not {f"role:{holder.user}", f"application:{holder.application}"} & allowed:
            return False
        # A session that waits for its client has nothing to cancel.
        ended = (
            "pg_terminate_backend" if holder.state.startswith("idle in transaction") else "pg_cancel_backend"
        )
        self._session.note(f"cancelling {holder}")
        try:
            asked = SQL("SELECT pg_catalog.{}({})").format(SQL(ended), Literal(holder.pid))
            return bool(self._session.value(asked))
        except psycopg2.errors.InsufficientPrivilege:
            return False


def is_vacuum_in_the_way(session: Session, lock: Lock) -> bool:
    """Tell whether a lock waits for a vacuum that nobody ordered."""
    return _EVERY[3] in _CONFLICTS[lock.mode] and bool(session.value("vacuumed", table=lock.table))
