"""Tell those who were given data of a person that it is erased (GDPR art. 19), until each has taken it.

What they know the person by is gone with the person: it is read before, encrypted with a key that is not in
the database, and kept until the recipient has been told.
"""

from __future__ import annotations

import json
from typing import Final, Protocol
from uuid import UUID, uuid4

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import SubjectError
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.catalogue import read_catalogue
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.recipients import (
    identifiers,
    read_recipients,
    untellable,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.sealed import derived, key_id, sealed
from spotify_ai_agent_migrations.versions.gdpr_erasure.graph import reached

_SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
_PURPOSE: Final = b"agentdb erasure notice 1"


class Keys(Protocol):
    """What is taken of the keys of an erasure."""

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
