"""The bytes that an entry and a seal are hashed as, in SQL and here, whatever a session is set to. Pure.

Every field is its length, four bytes big-endian, and its bytes; NULL is a length of -1 and nothing. Texts are
UTF-8; numbers and instants are eight bytes big-endian, an instant being microseconds since 2000 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from struct import Struct
from typing import Final

SALT_BYTES: Final = 16
NO_SEAL: Final = bytes(32)

_PRIVATE: Final = b"agentdb audit private 1\0"
_ENTRY: Final = b"agentdb audit entry 1\0"
_SEAL: Final = b"agentdb audit seal 1\0"
_NULL: Final = b"\xff\xff\xff\xff"
_LENGTH: Final = Struct(">i")
_NUMBER: Final = Struct(">q")
_UNSIGNED: Final = Struct(">Q")
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=timezone.utc)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the trail; texts of arrays and documents are as the server writes them."""

    id: int
    xid: int
    created_us: int
    entity_type: str
    action: str
    actor_type: str
    actor_ref: int | None = None
    subject_ref: int | None = None
    changed_columns: str | None = None
    entity_id: int = 0
    entity_key: str | None = None
    request_id: bytes | None = None
    payload: str | None = None
    salt: bytes | None = None
    redacted: bytes | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """One block of the trail: which entries, the root of their tree, and what it was chained to.

    `entry_ids` is an int8multirange as the server writes it; `horizon` and upper ends in it are exclusive.
    """

    id: int
    epoch: int
    sealed_at: datetime
    previous_hash: bytes
    first_xid: int
    horizon: int
    entry_count: int
    entry_ids: str
    root: bytes
    system_identifier: str
    timeline: int
    note: str | None
    key_id: str
    hash: bytes = b""
    signature: bytes = b""


def field(value: bytes | None) -> bytes:
    """Return *value* behind its length; None, which is NULL, has the length -1."""
    return _NULL if value is None else _LENGTH.pack(len(value)) + value


def microseconds(instant: datetime) -> int:
    """Return the microseconds from 2000 to *instant*, as the server keeps them."""
    return (instant - _EPOCH) // _MICROSECOND


def is_blank(entry: Entry) -> bool:
    """Tell whether nothing is left in *entry* of what a redaction takes."""
    return entry.entity_id == 0 and (entry.entity_key, entry.request_id, entry.payload, entry.salt) == (
        None,
        None,
        None,
        None,
    )


def private_part(entry: Entry) -> bytes | None:
    """Return the salted hash of the parts that a redaction takes; of a redacted entry, what stands for them.

    None where *entry* has neither salt nor redaction: nothing can be recomputed then.
    """
    if entry.redacted is not None:
        return entry.redacted
    if entry.salt is None:
        return None
    hashed = sha256(_PRIVATE + entry.salt)
    hashed.update(_number(entry.entity_id) + _text(entry.entity_key))
    hashed.update(field(entry.request_id) + _text(entry.payload))
    return hashed.digest()


def commitment(entry: Entry) -> bytes | None:
    """Return what *entry* commits to, or None where it has neither salt nor redaction."""
    private = private_part(entry)
    if private is None:
        return None
    return sha256(
        b"".join(
            (
                _ENTRY,
                _number(entry.id),
                field(_UNSIGNED.pack(entry.xid)),
                _number(entry.created_us),
                _text(entry.entity_type),
                _text(entry.action),
                _text(entry.actor_type),
                _number(entry.actor_ref),
                _number(entry.subject_ref),
                _text(entry.changed_columns),
                private,
            )
        )
    ).digest()


def seal_hash(seal: Seal) -> bytes:
    """Return the hash of *seal*: of all its fields but the hash and the signature."""
    return sha256(
        b"".join(
            (
                _SEAL,
                _number(seal.id),
                _number(seal.epoch),
                _number(microseconds(seal.sealed_at)),
                field(seal.previous_hash),
                field(_UNSIGNED.pack(seal.first_xid)),
                field(_UNSIGNED.pack(seal.horizon)),
                _number(seal.entry_count),
                _text(seal.entry_ids),
                field(seal.root),
                _text(seal.system_identifier),
                _number(seal.timeline),
                _text(seal.note),
                _text(seal.key_id),
            )
        )
    ).digest()


def _number(value: int | None) -> bytes:
    return field(None if value is None else _NUMBER.pack(value))


def _text(value: str | None) -> bytes:
    return field(None if value is None else value.encode())
