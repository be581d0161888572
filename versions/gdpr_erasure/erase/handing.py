"""Tell recipients by hand: what somebody has to tell them, and that it is done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import FileError, SubjectError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys, keys_for
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.notices import (
    UNREADABLE,
    Notice,
    body_of,
    notices_of,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import PURPOSE, STATEMENTS


@dataclass(frozen=True)
class ByHand:
    """What somebody has to tell a recipient; its body names the person, and stays out of `repr`."""

    id: UUID
    recipient: str
    body: bytes = field(repr=False)


def by_hand(url: str | None = None, *, keys: Keys | None = None) -> tuple[ByHand, ...]:
    """Return what somebody has to tell recipients who are told by hand; `end_notice` says that it is done.

    Raises:
        SubjectError: the key that one is encrypted with is not among those given.
    """
    given = keys or keys_for(resolve_settings(url))
    return tuple(_by_hand(given.ledger, *row) for row in _rows(url, "notices_by_hand"))


def _rows(url: str | None, name: str, **values: object) -> list[tuple[Any, ...]]:
    with connect(resolve_settings(url), purpose=PURPOSE) as connection, connection.cursor() as cursor:
        cursor.execute(STATEMENTS[name], values)
        return cursor.fetchall()


def _by_hand(ledger: Sequence[bytes], notice: str, recipient: str, key: str, payload: memoryview) -> ByHand:
    body = body_of(ledger, notice, key, payload)
    if body is None:
        raise SubjectError(
            f'recipient "{recipient}" {UNREADABLE}', hint="give the key it was queued with too"
        )
    return ByHand(UUID(notice), recipient, body)


def recipients_of(erasure_id: UUID, *, url: str | None = None) -> tuple[Notice, ...]:
    """Return who is told of an erasure and who was, which the person may ask for (GDPR art. 19)."""
    with connect(resolve_settings(url), purpose=PURPOSE) as connection, connection.cursor() as cursor:
        return notices_of(cursor, erasure_id)


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
        raise FileError(
            f'"{file}" cannot be made: {error.strerror}', hint="name a folder that is there"
        ) from error
    with os.fdopen(descriptor, "wb") as opened_file:
        opened_file.write(body + b"\n")
    return file


def end_notice(
    notice: UUID, outcome: str = "told", *, receipt: str | None = None, url: str | None = None
) -> bool:
    """Say that a recipient was told by hand, or why nobody is told; return whether it was pending.

    outcome: told, impossible or disproportionate (GDPR art. 19). receipt: number under which they keep it.
    What was to be told is gone then.

    Raises:
        PrivilegeError: the login is of no role that may say so.
    """
    ((was_pending,),) = _rows(url, "end_notice", notice=str(notice), outcome=outcome, receipt=receipt)
    return bool(was_pending)
