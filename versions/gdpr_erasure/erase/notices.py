"""Tell those who were given data of a person that it is erased (GDPR art. 19), until each has taken it.

What they know the person by is gone with the person: it is read before, encrypted with a key that is not in
the database, and kept until the recipient has been told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import FileError, SubjectError
from spotify_ai_agent_migrations.versions.core.settings import read_dotenv
from spotify_ai_agent_migrations.versions.core.signing import SigningKey
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.recipients import (
    identifiers,
    read_recipients,
    untellable,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.sealed import derived, key_id, opened, sealed
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.telling import Teller
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import reached

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
_PURPOSE: Final = b"agentdb erasure notice 1"


_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(days=1)
_UNREADABLE: Final = "cannot be told: the key that its notice is encrypted with is not among those given"


class Keys(Protocol):
    """What is taken of the keys of an erasure."""

    @property
    def signing(self) -> SigningKey:
        """What notices are signed with."""

    @property
    def ledger(self) -> tuple[bytes, ...]:
        """Keys that are not in the database, the newest first."""


def queue(cursor: Cursor, erasure_id: UUID, subject: int, keys: Keys) -> tuple[str, ...]:
    """Keep for each recipient what it is told of an erasure; return their codes. Queues nothing twice.

    To be called in the transaction that hides the person, after the row in ops.erasures. Who knows the person
    by nothing is not told.

    Raises:
        SubjectError: nobody has decided how a recipient is told, or what it knows people by cannot be read.
    """
    del subject  # The server knows it by the erasure.
    recipients = read_recipients(cursor)
    if not recipients:
        return ()
    catalogue = read_catalogue(cursor)
    reaches = reached(catalogue)
    for refusal in untellable(catalogue, reaches, recipients):
        raise SubjectError(f"{refusal.place}: {refusal.problem}", hint=refusal.hint)
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


@dataclass(frozen=True)
class ByHand:
    """What somebody has to tell a recipient; its body names the person, and stays out of `repr`."""

    id: UUID
    recipient: str
    body: bytes = field(repr=False)


def notices_of(cursor: Cursor, erasure_id: UUID) -> tuple[Notice, ...]:
    """Return whom an erasure is told to, and how far it is: the list that GDPR art. 19 lets the person ask for."""
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

    A recipient that fails is left alone for the rest of the round; its notice is tried again after a pause that
    doubles from *first_pause* to *longest_pause*, without end. No transaction is open while one is waited for,
    and rounds may run at once. Killed in between, it may tell a notice twice, by the same number.

    Raises:
        SettingsError: no key was given or named.
        PrivilegeError: the login may not act as the eraser.
    """
    known = {**read_dotenv(), **(os.environ if environ is None else environ)}
    with eraser(url) as connection:
        given = keys or keys_for(resolve_settings(url))
        round_ = _Round(connection, given.ledger, Teller(given.signing, known, limit_s))
        told = sum(round_.notices(most, first_pause, longest_pause))
        ((pending_, by_hand_),) = _ask(connection, "waiting_notices")
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
            claimed = _ask(self.connection, "claim_notice", skipped=list(self.problems), **pauses)
            if not claimed:
                return
            yield self._is_told(*claimed[0])

    def _is_told(
        self, notice: str, recipient: str, channel: str, url: str | None, key: str, payload: memoryview
    ) -> bool:
        body = _body(self.ledger, notice, key, payload)
        if body is None:
            return self._failed(notice, recipient, _UNREADABLE)
        told = self.teller.tell(recipient, channel, url, notice, body)
        if told.problem:
            return self._failed(notice, recipient, told.problem)
        _ask(self.connection, "end_notice", notice=notice, outcome="told", receipt=told.receipt)
        return True

    def _failed(self, notice: str, recipient: str, problem: str) -> bool:
        self.problems[recipient] = problem
        _ask(self.connection, "note_problem", notice=notice, problem=problem)
        return False


def _body(ledger: Sequence[bytes], notice: str, named: str, payload: memoryview) -> bytes | None:
    for key in (derived(one, _PURPOSE) for one in ledger):
        if key_id(key) == named:
            return opened(key, bytes(payload), UUID(notice).bytes)
    return None


def _ask(connection: Connection, name: str, **values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a named statement, in a transaction of its own."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_SQL[name], values)
        return cursor.fetchall()


def by_hand(url: str | None = None, *, keys: Keys | None = None) -> tuple[ByHand, ...]:
    """Return what somebody has to tell recipients who are told by hand; `end_notice` says that it is done.

    Raises:
        SubjectError: the key that one is encrypted with is not among those given.
    """
    with eraser(url) as connection:
        given = keys or keys_for(resolve_settings(url))
        return tuple(_by_hand(given.ledger, *row) for row in _ask(connection, "notices_by_hand"))


def _by_hand(ledger: Sequence[bytes], notice: str, recipient: str, key: str, payload: memoryview) -> ByHand:
    body = _body(ledger, notice, key, payload)
    if body is None:
        raise SubjectError(f'recipient "{recipient}" {_UNREADABLE}', hint="give the key it was queued with too")
    return ByHand(UUID(notice), recipient, body)


def hand_over(folder: Path, notices: Iterable[ByHand]) -> tuple[Path, ...]:
    """Write each of *notices* to a file of its own, that its owner alone can read; one that is there stays.

    Raises:
        FileError: one cannot be written.
    """
    return tuple(_written(folder / f"{one.recipient}-{one.id}.json", one.body) for one in notices)


def _written(file: Path, body: bytes) -> Path:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file
    except OSError as error:
        raise FileError(f'"{file}" cannot be made: {error.strerror}', hint="name a folder that is there") from error
    with os.fdopen(descriptor, "wb") as opened_file:
        opened_file.write(body + b"\n")
    return file


def end_notice(notice: UUID, outcome: str = "told", *, receipt: str | None = None, url: str | None = None) -> bool:
    """Say that a recipient was told by hand, or why nobody is told; return whether it was pending.

    outcome: told, impossible or disproportionate (GDPR art. 19). receipt: number under which they keep it.
    What was to be told is gone then.

    Raises:
        PrivilegeError: the login is of no role that may say so.
    """
    with connect(resolve_settings(url), purpose="agentdb gdpr-erasure") as connection:
        with connection.cursor() as cursor:
            cursor.execute(_SQL["end_notice"], {"notice": str(notice), "outcome": outcome, "receipt": receipt})
            ((was_pending,),) = cursor.fetchall()
    return bool(was_pending)
