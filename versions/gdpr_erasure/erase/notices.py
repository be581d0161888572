"""Tell those who were given data of a person that it is erased (GDPR art. 19), until each has taken it.

What they know the person by is gone with the person: it is read before, encrypted with a key that is not in
the database, and kept until the recipient has been told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys, keys_for
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.recipients import (
    identifiers,
    read_recipients,
    untellable,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.sealed import derived, key_id, opened, sealed
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import eraser
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.telling import Teller
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import reached

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
_PURPOSE: Final = b"agentdb erasure notice 1"


_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(days=1)
UNREADABLE: Final = "cannot be told: the key that its notice is encrypted with is not among those given"


def queue(cursor: Cursor, erasure_id: UUID, subject: int, keys: Keys) -> tuple[str, ...]:
    """Keep for each recipient what it is told of an erasure; return their codes. Queues nothing twice.

    To be called in the transaction that hides the person, after the row in ops.erasures. Who knows the person
    by nothing is not told.

    Raises:
        SubjectError: a recipient has no channel, or what it knows people by cannot be read.
    """
    del subject  # The server knows it by the erasure.
    recipients = read_recipients(cursor)
    if not recipients:
        return ()
    catalogue = read_catalogue(cursor)
    reaches = reached(catalogue)
    for refusal in untellable(catalogue, reaches, recipients):
        raise SubjectError(f"{refusal.place} {refusal.problem}", hint=refusal.hint)
    owned = {reach.name: own for reach in reaches if (own := reach.owned()) is not None}
    found = {one.code: identifiers(cursor, erasure_id, one, owned) for one in recipients}
    for code, known in found.items():
        if known:
            _keep(cursor, erasure_id, code, known, keys)
    return tuple(code for code, known in found.items() if known)


def _keep(
    cursor: Cursor, erasure_id: UUID, recipient: str, known: tuple[tuple[str, str], ...], keys: Keys
) -> None:
    notice, key = uuid4(), derived(keys.ledger[0], _PURPOSE)
    body = {
        "event": "erasure",
        "law": "GDPR art. 19",
        "notice": str(notice),
        "recipient": recipient,
        "identifiers": [{"as": called, "value": value} for called, value in known],
    }
    payload = sealed(key, json.dumps(body, ensure_ascii=False).encode(), notice.bytes)
    values = {"notice": str(notice), "erasure": str(erasure_id), "recipient": recipient,
              "key_id": key_id(key), "payload": payload}  # fmt: skip
    cursor.execute(_SQL["queue_notice"], values)


def pending(cursor: Cursor, erasure_id: UUID) -> tuple[str, ...]:
    """Return the codes of the recipients who have yet to be told of an erasure."""
    cursor.execute(_SQL["pending_notices"], {"erasure": str(erasure_id)})
    return tuple(code for (code,) in cursor.fetchall())


@dataclass(frozen=True)
class Notice:
    """What became of telling one recipient; `outcome` is None while it is pending.

    outcome: told, or why nobody is told: impossible, disproportionate.
    receipt: number under which the recipient keeps it, where it gave one.
    """

    id: UUID
    recipient: str
    queued_at: datetime
    attempts: int
    problem: str | None
    outcome: str | None
    ended_at: datetime | None
    receipt: str | None


@dataclass(frozen=True)
class Delivered:
    """What a round came to.

    told: how many notices were taken. problems: each recipient that took none, and why.
    pending: how many are left, of which *by_hand* wait for somebody to tell them.
    """

    told: int
    problems: tuple[tuple[str, str], ...]
    pending: int
    by_hand: int


def notices_of(cursor: Cursor, erasure_id: UUID) -> tuple[Notice, ...]:
    """Return whom an erasure is told to, and how far it is; the person may ask for it (GDPR art. 19)."""
    cursor.execute(_SQL["notices_of"], {"erasure": str(erasure_id)})
    return tuple(Notice(UUID(str(row[0])), *row[1:]) for row in cursor.fetchall())


def deliver(
    url: str | None = None,
    *,
    keys: Keys | None = None,
    environ: Mapping[str, str] | None = None,
    most: int = 1_000,
    limit_s: float = 10.0,
    first_pause: timedelta = _FIRST_PAUSE,
    longest_pause: timedelta = _LONGEST_PAUSE,
) -> Delivered:
    """Tell every recipient whose notice is due, and say what came of it.

    A recipient that fails is left alone for the rest of the round; its notice is tried again after a pause
    that doubles from *first_pause* to *longest_pause*, without end. No transaction is open while a recipient
    is waited for, and rounds may run at once. Killed in between, it tells a notice twice, by the same number.

    Raises:
        SettingsError: no key was given or named.
        PrivilegeError: the login may not act as the eraser.
    """
    known = {**read_dotenv(), **(os.environ if environ is None else environ)}
    with eraser(url) as connection:
        given = keys or keys_for(resolve_settings(url))
        round_ = _Round(connection, given.ledger, Teller(given.signing, known, limit_s))
        # A notice that is still being told is due to nobody else.
        least = timedelta(seconds=2 * limit_s)
        told = sum(round_.notices(most, max(first_pause, least), max(longest_pause, least)))
        ((pending_, by_hand_),) = ask(connection, "waiting_notices")
    return Delivered(told, tuple(round_.problems.items()), pending_, by_hand_)


@dataclass(frozen=True)
class _Round:
    connection: Connection
    ledger: Sequence[bytes]
    teller: Teller
    problems: dict[str, str] = field(default_factory=dict)

    def notices(self, most: int, first_pause: timedelta, longest_pause: timedelta) -> Iterator[bool]:
        """Yield for each notice that is due, at most so many, whether it was taken."""
        for _ in range(most):
            pauses = {"first_pause": first_pause, "longest_pause": longest_pause}
            claimed = ask(self.connection, "claim_notice", skipped=list(self.problems), **pauses)
            if not claimed:
                return
            yield self._is_told(*claimed[0])

    def _is_told(
        self, notice: str, recipient: str, channel: str, url: str | None, key: str, payload: memoryview
    ) -> bool:
        body = body_of(self.ledger, notice, key, payload)
        if body is None:
            return self._failed(notice, recipient, UNREADABLE)
        told = self.teller.tell(recipient, channel, url, notice, body)
        if told.problem:
            return self._failed(notice, recipient, told.problem)
        ask(self.connection, "end_notice", notice=notice, outcome="told", receipt=told.receipt)
        return True

    def _failed(self, notice: str, recipient: str, problem: str) -> bool:
        self.problems[recipient] = problem
        ask(self.connection, "note_problem", notice=notice, problem=problem)
        return False


def body_of(ledger: Sequence[bytes], notice: str, named: str, payload: memoryview) -> bytes | None:
    """Return what a notice says; None where its key, called *named*, is not one that *ledger* gives."""
    for key in (derived(one, _PURPOSE) for one in ledger):
        if key_id(key) == named:
            return opened(key, bytes(payload), UUID(notice).bytes)
    return None


def ask(connection: Connection, name: str, **values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a named statement, in a transaction of its own."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_SQL[name], values)
        return cursor.fetchall()
