"""Write the trail and its seals to files, and verify those without a database."""

from __future__ import annotations

import gzip
import io
import os
import re
import tempfile
import uuid
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final, cast

import numpy as np
from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.audit_trail.blocks import LEAF, Blocks
from spotify_ai_agent_migrations.versions.audit_trail.canonical import (
    Entry,
    commitment,
    is_blank,
    microseconds,
)
from spotify_ai_agent_migrations.versions.audit_trail.chain import Chain
from spotify_ai_agent_migrations.versions.audit_trail.digest import digest_line, read_digests
from spotify_ai_agent_migrations.versions.audit_trail.fault import Verification, listed
from spotify_ai_agent_migrations.versions.audit_trail.merkle import HASH_BYTES, leaf_hash
from spotify_ai_agent_migrations.versions.audit_trail.reading import QUERIES, is_current, read_seals, reading
from spotify_ai_agent_migrations.versions.audit_trail.verification import (
    Digests,
    Sealed,
    read_published,
    window,
)
from spotify_ai_agent_migrations.versions.core.errors import DatabaseError, FileError
from spotify_ai_agent_migrations.versions.core.settings import resolve_settings
from spotify_ai_agent_migrations.versions.core.signing import read_keyring

COLUMNS: Final = (
    "id", "xid", "created_at", "entity_type", "action", "actor_type", "actor_ref", "subject_ref",
    "changed_columns", "entity_id", "entity_key", "request_id", "payload", "salt", "redacted", "commitment",
)  # fmt: skip
_OWNER_ONLY: Final = 0o600
_STATEMENT_TIMEOUT_MS: Final = 6 * 3_600_000
_TAKEN_AT_ONCE: Final = 10_000
_UNPROVEN: Final = bytes(HASH_BYTES)
# A cell and what ends it, as COPY writes CSV: NULL is nothing at all, the empty text two quotation marks.
_CELL: Final = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\n)')


@dataclass(frozen=True, slots=True)
class Exported:
    """How much was written."""

    entries: int
    seals: int


def export(*, entries: Path | str, seals: Path | str, url: str | None = None) -> Exported:
    """Write all entries to a CSV file and all seals to one of digests; gzip where a name ends in `.gz`.

    Both are of one snapshot, and readable by whoever wrote them alone. A file that is there is replaced when
    the new one is whole.

    Raises:
        DatabaseError: the database was restored and nothing was sealed since; no file could tell.
        FileError: a file that cannot be written.
    """
    settings = resolve_settings(url, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    with reading(settings, purpose="agentdb audit-trail export") as connection:
        written, last = 0, None
        with _written(Path(seals)) as file:
            for number, seal in read_seals(connection, since=0):
                if seal is None:
                    raise DatabaseError(
                        f"seal {number} is not one any more",
                        hint="`agentdb audit-trail verify` says what is wrong",
                    )
                file.write(f"{digest_line(seal)}\n".encode())
                written, last = written + 1, seal
        if last is not None and not is_current(connection, last):
            raise DatabaseError(
                "the database was restored since the last seal",
                hint="`agentdb audit-trail seal`, then export",
            )
        with _written(Path(entries)) as file, connection.cursor() as cursor:
            cursor.copy_expert(SQL(QUERIES["export_entries"]).as_string(cursor), file)
            return Exported(cursor.rowcount, written)


def verify_export(
    entries: Path | str,
    seals: Path | str,
    *,
    public_key: Path | str | None = None,
    digests: Digests = None,
) -> Verification:
    """Verify what `export` wrote, without a database, and return everything that is wrong with it.

    Raises:
        FileError: a file that cannot be read, or is not one that `export` wrote.
    """
    keys = read_keyring(Path(public_key)) if public_key is not None else None
    published = {number: seal.hash for number, seal in read_published(digests).items()}
    sealed = Sealed(Chain(keys=keys, published=published))
    with _opened(Path(seals)) as file, io.TextIOWrapper(file, "utf-8", newline="\n") as lines:
        for seal in read_digests(lines, name=str(seals)):
            sealed.take(seal.id, seal)
    if not sealed.seals:
        raise FileError(
            f'"{seals}" holds no seal, so no entry could be told from a forged one',
            hint="seal, then export: the seals come with the entries",
        )
    sealed.chain.end()
    with tempfile.TemporaryFile() as leaves, _opened(Path(entries)) as file:
        blocks = Blocks(sealed.blocks, window=window(sealed, current=True), file=leaves)
        with io.TextIOWrapper(file, "utf-8", newline="\n") as lines:
            for some in _leaves(lines, str(entries)):
                blocks.take(np.array(some, LEAF))
        faults = [*sealed.chain.faults, *sealed.faults, *blocks.faults(blocks.candidates())]
    kept, more = listed(faults)
    return Verification(
        entries=blocks.entries,
        seals=sealed.seals,
        unsealed=blocks.unsealed,
        retired=blocks.retired,
        signatures_checked=keys is not None,
        last_seal=sealed.chain.last,
        faults=kept,
        more_faults=more,
    )


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
            yield cast("IO[bytes]", opened)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise FileError(f'"{path}" cannot be read', hint="name a file, with .gz only if it is one") from error


@contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that has its name when it is whole; a pipe or a device is written as it is."""
    in_place = path.exists() and not path.is_file()
    part = path if in_place else path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with os.fdopen(descriptor, "wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile(path.stem, "wb", fileobj=raw) as packed:
                    yield cast("IO[bytes]", packed)
            else:
                yield raw
        if not in_place:
            part.replace(path)
    except OSError as error:
        raise FileError(
            f'"{path}" cannot be written: {error.strerror}', hint="name a file in a folder that takes it"
        ) from error
    finally:
        if not in_place:
            part.unlink(missing_ok=True)


def _leaves(lines: Iterator[str], name: str) -> Iterator[list[tuple[int, int, list[int], list[int]]]]:
    records = _records(lines, name)
    if tuple(next(records, ())) != COLUMNS:
        raise FileError(f'"{name}" has another header than an export', hint="name the file of entries")
    some = []
    for number, record in enumerate(records, start=2):
        some.append(_leaf(record, name, number))
        if len(some) == _TAKEN_AT_ONCE:
            yield some
            some = []
    yield some


def _records(lines: Iterator[str], name: str) -> Iterator[list[str | None]]:
    """Yield the cells of each record; a text may hold line ends."""
    record: list[str | None] = []
    held = ""
    for line in lines:
        held += line
        # An odd number of quotation marks: the text goes on in the next line.
        if held.count('"') % 2:
            continue
        at = 0
        for cell in _CELL.finditer(held):
            if cell.start() != at:
                break
            at = cell.end()
            record.append(cell[2] or None if cell[1] is None else cell[1].replace('""', '"'))
        if at != len(held):
            raise _malformed(name)
        yield record
        record, held = [], ""
    if held:
        raise _malformed(name)


def _leaf(record: Sequence[str | None], name: str, number: int) -> tuple[int, int, list[int], list[int]]:
    try:
        then = bytes.fromhex(record[15] or "")
        entry_id, xid = int(record[0] or ""), int(record[1] or "0")
        np.int64(entry_id), np.uint64(xid)
    except (ValueError, IndexError, OverflowError) as error:
        raise _malformed(name, number) from error
    return entry_id, xid, list(_recomputed(record)), list(leaf_hash(then) if then else _UNPROVEN)


def _recomputed(record: Sequence[str | None]) -> bytes:
    """Return the leaf of what an entry says; what cannot be an entry has none."""
    try:
        entry = _entry(record)
        made = None if entry.redacted is not None and not is_blank(entry) else commitment(entry)
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        made = None
    return _UNPROVEN if made is None else leaf_hash(made)


def _entry(record: Sequence[str | None]) -> Entry:
    (number, xid, created, entity_type, action, actor_type, actor, subject, changed, entity, key, request,
     payload, salt, redacted, _) = record  # fmt: skip
    return Entry(
        id=int(number or ""),
        xid=int(xid or ""),
        created_us=microseconds(datetime.fromisoformat(created or "")),
        entity_type=entity_type or "",
        action=action or "",
        actor_type=actor_type or "",
        actor_ref=None if actor is None else int(actor),
        subject_ref=None if subject is None else int(subject),
        changed_columns=changed,
        entity_id=int(entity or ""),
        entity_key=key,
        request_id=None if request is None else uuid.UUID(request).bytes,
        payload=payload,
        salt=None if salt is None else bytes.fromhex(salt),
        redacted=None if redacted is None else bytes.fromhex(redacted),
    )


def _malformed(name: str, number: int | None = None) -> FileError:
    where = "" if number is None else f" in its record {number}"
    return FileError(
        f'"{name}" is no CSV of an export{where}', hint="name the file of entries that `export` wrote"
    )
