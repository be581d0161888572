"""Read entries and seals for verification, in one snapshot of one session."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from struct import error as struct_error
from struct import unpack
from typing import Any, Final

import numpy as np
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import SQL, Composable, Literal

from spotify_ai_agent_migrations.versions.audit_trail.blocks import LEAF, Leaves
from spotify_ai_agent_migrations.versions.audit_trail.canonical import Seal
from spotify_ai_agent_migrations.versions.audit_trail.merkle import HASH_BYTES
from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.core.settings import Settings
from spotify_ai_agent_migrations.versions.core.sql import queries

QUERIES: Final = queries("spotify_ai_agent_migrations.versions.audit_trail")
# A row as COPY writes it in binary: how many fields, and before each field its length.
_ROW: Final = np.dtype(
    [("fields", ">i2"), ("l1", ">i4"), ("id", ">i8"), ("l2", ">i4"), ("xid", ">u8"),
     ("l3", ">i4"), ("now", "u1", HASH_BYTES), ("l4", ">i4"), ("then", "u1", HASH_BYTES)]
)  # fmt: skip
_HEADER_BYTES: Final = 19
_TRAILER_BYTES: Final = 2
_BUFFER_BYTES: Final = 1 << 20
_SEALS_AT_ONCE: Final = 1_000
_WORKERS: Final = 4
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=timezone.utc)


@contextmanager
def reading(settings: Settings, *, purpose: str) -> Iterator[Connection]:
    """Open a session for the block that sees one snapshot, whatever its role and database are set to."""
    with connect(settings, purpose=purpose, row_security=False) as connection:
        with connection.cursor() as cursor:
            cursor.execute(SQL(QUERIES["verify_session"]).format(workers=Literal(_WORKERS)))
        yield connection


def copy_leaves(cursor: Cursor, condition: Composable, take: Callable[[Leaves], None]) -> None:
    """Hand the leaves of the entries that fulfil *condition* to *take*, thousands at a time, in any order."""
    statement = SQL(QUERIES["verify_leaves"]).format(condition=condition).as_string(cursor)
    # The driver hands over a row at a time: that it calls a buffer, and not us, is half of the time.
    with io.BufferedWriter(_Rows(take), _BUFFER_BYTES) as buffer:
        cursor.copy_expert(statement, buffer)


def everything() -> Composable:
    """Return the condition that every entry fulfils."""
    return SQL(QUERIES["verify_everything"])


def recent(first: int, last: int) -> Composable:
    """Return the condition of the entries of the transactions from *first* on and before *last*."""
    return SQL(QUERIES["verify_recent"]).format(first=Literal(str(first)), last=Literal(str(last)))


def read_seals(
    connection: Connection, *, since: int, until: int | None = None
) -> Iterator[tuple[int, Seal | None]]:
    """Yield the number of each seal after *since* and the seal, None where it cannot be one any more."""
    with connection.cursor(name="audit_seals") as cursor:
        cursor.itersize = _SEALS_AT_ONCE
        cursor.execute(QUERIES["verify_seals"], {"since": since, "until": until})
        for row in cursor:
            yield int(row[0]), _seal(row)


def is_current(connection: Connection, seal: Seal) -> bool:
    """Tell whether *seal* numbers transactions as this server does: it does not where that was restored."""
    with connection.cursor() as cursor:
        cursor.execute(QUERIES["verify_server"])
        identifier, following = cursor.fetchone() or ("", "0")
    return bool(seal.system_identifier == identifier) and seal.horizon <= int(following)


class _Rows(io.RawIOBase):
    """Takes the bytes of a binary COPY and hands on its rows, all of one length."""

    def __init__(self, take: Callable[[Leaves], None]) -> None:
        super().__init__()
        self._take = take
        self._rest = b""
        self._begun = False

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  (typeshed has no name for a buffer)
        """Take some bytes; hand on all rows that are complete."""
        taken = len(data)
        held = self._rest + bytes(data)
        if not self._begun:
            held, self._begun = held[_HEADER_BYTES:], True
        rows = len(held) // _ROW.itemsize
        self._rest = held[rows * _ROW.itemsize :]
        if rows:
            self._hand_on(np.frombuffer(held, _ROW, rows))
        return taken

    def close(self) -> None:
        """End, and refuse what is no whole number of rows."""
        if not self.closed and len(self._rest) not in (0, _TRAILER_BYTES):
            super().close()
            raise _malformed()
        super().close()

    def _hand_on(self, rows: Leaves) -> None:
        if (rows["fields"] != 4).any() or (rows["l4"] != HASH_BYTES).any():
            raise _malformed()
        leaves = np.empty(len(rows), LEAF)
        for name in ("id", "xid", "now", "then"):
            leaves[name] = rows[name]
        self._take(leaves)


def _malformed() -> DatabaseError:
    return DatabaseError(
        "the server sent entries in another form than it was asked for",
        hint="look at the types of the columns of public.audit_log",
    )


def _seal(row: Sequence[Any]) -> Seal | None:
    (
        number,
        epoch,
        sealed_at,
        previous,
        first_xid,
        horizon,
        count,
        ids,
        root,
        system,
        timeline,
        note,
        *rest,
    ) = row
    key, hash_, signature = rest
    try:
        return Seal(
            id=number, epoch=epoch, sealed_at=_instant(bytes(sealed_at)), previous_hash=bytes(previous),
            first_xid=int(first_xid), horizon=int(horizon), entry_count=int(count), entry_ids=str(ids),
            root=bytes(root), system_identifier=str(system), timeline=int(timeline), note=note,
            key_id=str(key), hash=bytes(hash_), signature=bytes(signature),
        )  # fmt: skip
    except (TypeError, ValueError, OverflowError, struct_error):
        return None


def _instant(sent: bytes) -> datetime:
    (microseconds,) = unpack(">q", sent)
    return _EPOCH + timedelta(microseconds=microseconds)
