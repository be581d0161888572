"""What the ledger says, line by line; whom it means, nobody can tell without the key to hash with. Pure.

Each line is a document in its canonical form that is signed and names the hash of the line before it. A
person is the keyed hash of their number and of the instant in which they registered: whoever else gets the
number later is another one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from struct import Struct
from typing import Any, Final
from uuid import UUID

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.core.signing import Keyring, SigningKey, is_signed
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.canonical import (
    canonical,
    document,
    instant,
    written,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys, ledger_key_id

FORMAT: Final = "agentdb erasure ledger 1"
BEGINNING: Final = b'{"at":"'
_DOMAIN: Final = FORMAT.encode() + b"\0"
_PERSON: Final = b"agentdb erasure ledger person 1\0"
_NUMBERS: Final = Struct(">qq")
_PARTS: Final = frozenset({
    "format", "seq", "at", "kind", "erasure", "completes", "person", "hashed_with", "reason", "requested_at",
    "previous", "key", "signature",
})  # fmt: skip


class Kind(str, Enum):
    """What a line says of an erasure.

    INTENDED: it is about to begin; DROPPED: it did not. HIDDEN: it has begun. ERASED: nothing is left.
    """

    INTENDED = "intended"
    DROPPED = "dropped"
    HIDDEN = "hidden"
    ERASED = "erased"


@dataclass(frozen=True)
class Entry:
    """An erasure, as its database knows it; `registered_us` are microseconds since 1970."""

    erasure: UUID
    completes: UUID | None
    subject: int
    registered_us: int
    reason: str
    requested_at: datetime


@dataclass(frozen=True)
class Head:
    """The last line: its number and its hash. The first line follows on none."""

    seq: int = 0
    hash: str = "00" * 32


@dataclass(frozen=True)
class Line:
    """One line that was read: of which erasure, what it says, and whom it means (`person`, `hashed_with`)."""

    seq: int
    at: datetime
    kind: Kind
    erasure: UUID
    completes: UUID | None
    person: str
    hashed_with: str
    reason: str
    requested_at: datetime
    hash: str

    @property
    def head(self) -> Head:
        """What the next line follows on."""
        return Head(self.seq, self.hash)


def person(key: bytes, subject: int, registered_us: int) -> str:
    """Return what the ledger calls a person: a keyed hash of their number and of when they registered."""
    return hmac.digest(key, _PERSON + _NUMBERS.pack(subject, registered_us), "sha256").hex()


def line(entry: Entry, kind: Kind, after: Head, keys: Keys, *, at: datetime) -> bytes:
    """Return the line that says *kind* of an erasure and follows on *after*, with its end."""
    hashing = keys.ledger[0]
    body = {
        "format": FORMAT,
        "seq": after.seq + 1,
        "at": written(at),
        "kind": kind.value,
        "erasure": str(entry.erasure),
        "completes": str(entry.completes) if entry.completes else None,
        "person": person(hashing, entry.subject, entry.registered_us),
        "hashed_with": ledger_key_id(hashing),
        "reason": entry.reason,
        "requested_at": written(entry.requested_at),
        "previous": after.hash,
        "key": keys.signing.key_id,
    }
    return canonical({**body, "signature": _signed(body, keys.signing)}) + b"\n"


def read(text: bytes) -> Line:
    """Return the line that *text* is; it is neither looked at whether it is signed nor what it follows on.

    Raises:
        ValueError: it is none.
    """
    return _line(text, document(text))


def read_lines(texts: Iterable[bytes], keys: Keyring, *, name: str) -> Iterator[Line]:
    """Yield the lines of a ledger, each of which is signed by one of *keys* and follows on the one before.

    Raises:
        FileError: one is not; it is told which.
    """
    head = Head()
    for number, text in enumerate(texts, start=1):
        try:
            found = document(text)
            made = _line(text, found)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _wrong(name, number, "is none of a ledger") from error
        if (made.seq, found["previous"]) != (head.seq + 1, head.hash):
            raise _wrong(name, number, "does not follow on the one before")
        signature = bytes.fromhex(found.pop("signature"))
        if not is_signed(keys, str(found["key"]), signature, _DOMAIN + canonical(found)):
            raise _wrong(name, number, "is signed by none of the keys given")
        head = made.head
        yield made


def _signed(body: Mapping[str, Any], key: SigningKey) -> str:
    return key.sign(_DOMAIN + canonical(body)).hex()


def _line(text: bytes, found: Mapping[str, Any]) -> Line:
    spelt = text.rstrip(b"\n")
    if found.get("format") != FORMAT or found.keys() != _PARTS or canonical(found) != spelt:
        raise ValueError("it is something else")
    bytes.fromhex(found["signature"])
    return Line(
        int(found["seq"]), instant(found["at"]), Kind(found["kind"]), UUID(found["erasure"]),
        UUID(found["completes"]) if found["completes"] else None, found["person"], found["hashed_with"],
        found["reason"], instant(found["requested_at"]), hashlib.sha256(_DOMAIN + spelt).hexdigest(),
    )  # fmt: skip


def _wrong(name: str, number: int, what: str) -> FileError:
    return FileError(
        f'line {number} of "{name}" {what}',
        hint="take a copy of the ledger that is whole, and the public keys of all that ever signed it",
    )
