"""The ledger: which erasures there were, in a file outside the database, so that no backup undoes them.

    intend(cursor, keys, erasure)                   before an erasure begins, in its transaction
    note(cursor, keys, erasure, Kind.HIDDEN)        once it has begun; Kind.ERASED once nothing is left
    export_ledger("erasures.ledger")                write what a ledger lacks of a database

A line is on the disk before its word returns. Where no file is named there is none to write, and it is
exported from time to time. It is kept for as long as the oldest backup, and then destroyed: for that a new
file is begun now and then, which tells of nothing that the old one did. After a restore both are replayed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.database import connect
from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import Keyring, SigningKey, read_keyring
from spotify_ai_agent_migrations.versions.core.sql import queries
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.files import exclusively
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.keys import Keys, keys_for
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.lines import (
    BEGINNING,
    Entry,
    Head,
    Kind,
    Line,
    line,
    read,
    read_lines,
)

SQL: Final = queries("spotify_ai_agent_migrations.versions.gdpr_erasure.erase")
_PURPOSE: Final = "agentdb gdpr-erasure ledger"
_TAIL_BYTES: Final = 65_536
_Lines = Callable[[Head], Iterable[bytes]]


def intend(cursor: Cursor, keys: Keys, erasure: UUID) -> Entry | None:
    """Write that *erasure*, a row in the transaction of *cursor*, is to begin; None without a ledger.

    If that transaction is rolled back, give what this returns to `drop`. Where neither that nor `note`
    follows, nobody can tell after a restore whether it began, and `replay` asks.
    """
    if keys.ledger_file is None:
        return None
    entry = entry_of(cursor, erasure)
    write(keys, entry, Kind.INTENDED)
    return entry


def drop(keys: Keys, intended: Entry | None) -> None:
    """Write that what was *intended* did not begin; nothing where there is no ledger."""
    if intended is not None:
        write(keys, intended, Kind.DROPPED)


def note(cursor: Cursor, keys: Keys, erasure: UUID, kind: Kind) -> str | None:
    """Write *kind* of an erasure to the ledger, and return the hash of the line; None where there is none.

    Twice does no harm. Locks: the file, for as long as it takes the disk.

    Raises:
        FileError: it is not on the disk, or the file is something else.
        LockError: another process had the file for too long.
    """
    if keys.ledger_file is None:
        return None
    return write(keys, entry_of(cursor, erasure), kind).hash


def write(keys: Keys, entry: Entry, kind: Kind) -> Head:
    """Write *kind* of *entry* to the file of the ledger; it is on the disk when this returns."""
    assert keys.ledger_file is not None
    at = datetime.now(timezone.utc)
    return _append(keys.ledger_file, lambda head: [line(entry, kind, head, keys, at=at)])


def entry_of(cursor: Cursor, erasure: UUID) -> Entry:
    """Return what the ledger says of *erasure*."""
    cursor.execute(SQL["entry_of_ledger"], {"erasure": str(erasure)})
    ((values),) = cursor.fetchall()
    return _entry(values)


def export_ledger(
    path: Path | str, url: str | None = None, *, key: SigningKey | Path | str | None = None
) -> int:
    """Write to the ledger at *path* what it lacks of the erasures in the database; return how many lines.

    What is in it stays, so that a database that was restored takes nothing away. One that is not there yet is
    made, for its owner alone.

    Raises:
        FileError: it is no ledger, or cannot be written.
        SettingsError: a key is not named.
    """
    settings = resolve_settings(url)
    keys = keys_for(settings, key=key)
    file = Path(path)
    with connect(settings, purpose=_PURPOSE, row_security=False) as connection, connection.cursor() as cursor:
        cursor.execute(SQL["entries_of_ledger"])
        found = [_noted(row) for row in cursor.fetchall()]
    wanted = [(entry, kind, at) for entry, notes in found for kind, at in notes]
    return _append_missing(file, wanted, keys)


def read_ledger(path: Path | str, keys: Keyring | Path) -> tuple[Line, ...]:
    """Return the lines of a ledger, all of them signed by one of *keys*, or of the keys in that file.

    A last line that was never finished, its process killed, says nothing and is left out.

    Raises:
        FileError: it cannot be read; or a line was changed, put in, taken out, or is of an unknown key.
    """
    known = read_keyring(keys) if isinstance(keys, Path) else keys
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise FileError(
            f'"{path}" cannot be read: {error.strerror}', hint="name the file of the ledger"
        ) from error
    whole, _, rest = text.rpartition(b"\n")
    if rest and not _is_unfinished(rest):
        raise _no_ledger(path)
    return tuple(read_lines(whole.split(b"\n") if whole else (), known, name=str(path)))


def _entry(row: Sequence[Any]) -> Entry:
    number, completes, subject, registered_us, reason, requested_at = row
    return Entry(
        UUID(number), UUID(completes) if completes else None, subject, registered_us, reason, requested_at
    )


def _noted(row: Sequence[Any]) -> tuple[Entry, list[tuple[Kind, datetime]]]:
    *values, hidden_at, swept_at = row
    notes = [(Kind.HIDDEN, hidden_at)]
    return _entry(values), notes if swept_at is None else [*notes, (Kind.ERASED, swept_at)]


def _append_missing(file: Path, wanted: Sequence[tuple[Entry, Kind, datetime]], keys: Keys) -> int:
    added = 0

    def missing(head: Head) -> Iterable[bytes]:
        nonlocal added
        # Under the lock of the file: what is there now stays so.
        there = {(one.erasure, one.kind) for one in _unverified(file)}
        for entry, kind, at in wanted:
            if (entry.erasure, kind) not in there:
                text = line(entry, kind, head, keys, at=at)
                head, added = read(text).head, added + 1
                yield text

    _append(file, missing)
    return added


def _unverified(file: Path) -> Iterable[Line]:
    for number, text in enumerate(file.read_bytes().split(b"\n")[:-1], start=1):
        try:
            yield read(text)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FileError(
                f'line {number} of "{file}" is none of a ledger',
                hint="name the file of a ledger, or a new one",
            ) from error


def _append(file: Path, lines: _Lines) -> Head:
    with exclusively(file) as descriptor:
        head, end = _head(descriptor, file)
        try:
            # Left by a process that was killed before its line was on the disk: nobody was told of it.
            os.ftruncate(descriptor, end)
            text = b"".join(lines(head))
            _put(descriptor, text, at=end)
        except OSError as error:
            os.ftruncate(descriptor, end)
            raise FileError(
                f'"{file}" cannot be written: {error.strerror}', hint="name a file on a disk that has room"
            ) from error
    return read(text.splitlines()[-1]).head if text else head


def _put(descriptor: int, text: bytes, *, at: int) -> None:
    done = 0
    while done < len(text):
        done += os.pwrite(descriptor, text[done:], at + done)
    os.fsync(descriptor)


def _head(descriptor: int, file: Path) -> tuple[Head, int]:
    """Return the last line that is whole, and where it ends."""
    size = os.fstat(descriptor).st_size
    begin = max(0, size - _TAIL_BYTES)
    tail = os.pread(descriptor, size - begin, begin)
    whole, _, rest = tail.rpartition(b"\n")
    if rest and not _is_unfinished(rest):
        raise _no_ledger(file)
    if not whole and size == len(rest):
        return Head(), 0
    try:
        return read(whole.rpartition(b"\n")[2]).head, size - len(rest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _no_ledger(file) from error


def _is_unfinished(rest: bytes) -> bool:
    return rest[: len(BEGINNING)] == BEGINNING[: len(rest)]


def _no_ledger(file: Path | str) -> FileError:
    return FileError(f'"{file}" is no ledger of erasures', hint="name the file of a ledger, or a new one")
