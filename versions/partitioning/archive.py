"""Write the rows of a table to a file, and prove that they are in it."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from psycopg2.sql import SQL, Identifier

from spotify_ai_agent_migrations.versions.core.errors import FileError
from spotify_ai_agent_migrations.versions.partitioning.parquet import write_parquet
from spotify_ai_agent_migrations.versions.partitioning.plan import ArchiveFormat
from spotify_ai_agent_migrations.versions.partitioning.session import Session

_CHUNK: Final = 1 << 20
_SUFFIXES: Final = MappingProxyType({"csv": "csv.gz", "parquet": "parquet"})
_SAFE: Final = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(frozen=True)
class Archived:
    """What is in a file: how many rows, its SHA-256 before it is packed, and that of the rows as CSV."""

    file: Path
    rows: int
    sha256: str
    content: str


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


class _Source(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class _Hashed:
    """Passes bytes on, if there is somewhere to pass them to, and hashes them."""

    def __init__(self, sink: _Sink | None = None) -> None:
        self._sink = sink
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._sink.write(data) if self._sink else len(data)


def archive(
    session: Session, oid: int, schema: str, plain: str, folder: Path, form: ArchiveFormat = "csv"
) -> Archived:
    """Copy a table into `folder/database.schema.table-oid.csv.gz`, readable by its owner, and read it back.

    Memory: a megabyte, or 20,000 rows. The file has its name only when it is whole and on the disk; one that
    is there already is not written over.

    Raises:
        FileError: the folder cannot be written, the file does not hold what was written to it, or there is
            one with other rows.
    """
    database = session.connection.info.dbname
    file = folder / _SAFE.sub("_", f"{database}.{schema}.{plain}-{oid}.{_SUFFIXES[form]}")
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        with session.patient():
            rows, content = rows_of(session, schema, plain)
            if form == "parquet":
                written = write_parquet(session, schema, plain, unfinished)
                sha256 = _hash_of_plain(unfinished)
            else:
                written, sha256 = _write_csv(session, schema, plain, unfinished)
        if written != rows or (form == "csv" and sha256 != content):
            raise FileError(f'"{schema}.{plain}" was written to meanwhile', hint="run it again")
        if file.exists() and hash_of(file) != sha256:
            raise FileError(
                f'"{file}" is there, with other rows', hint="move it elsewhere, or name another folder"
            )
        unfinished.replace(file)
        _sync(folder)
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be written: {error.strerror or error}',
            hint="name a folder that exists, with room",
        ) from error
    return Archived(file, rows, sha256, content)


def rows_of(session: Session, schema: str, plain: str) -> tuple[int, str]:
    """Return how many rows a table has, and the SHA-256 of the CSV that they are."""
    sink = _Hashed()
    return _copy(session, Identifier(schema, plain), sink), sink.digest.hexdigest()


def _write_csv(session: Session, schema: str, plain: str, file: Path) -> tuple[int, str]:
    rows, sha256 = _write(session, Identifier(schema, plain), file)
    if _hash_of_packed(file) != sha256:
        raise FileError(
            f'"{file}" does not hold what was written to it', hint="look at the disk, and run it again"
        )
    return rows, sha256


def _write(session: Session, table: Identifier, file: Path) -> tuple[int, str]:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
            sink = _Hashed(packed)
            rows = _copy(session, table, sink)
        raw.flush()
        os.fsync(raw.fileno())
    return rows, sink.digest.hexdigest()


def _copy(session: Session, table: Identifier, sink: _Hashed) -> int:
    """Send the rows of a table, spelt the same and in the same order as long as nobody changes any."""
    with session.connection.cursor() as cursor:
        cursor.execute("SET synchronize_seqscans = off; SET extra_float_digits = 1; SET bytea_output = hex")
        # What is generated is no part of an archive: COPY could not bring it back.
        columns = [str(name) for (name,) in session.ask("stored_columns_of", table=session.text(table))]
        spoken = SQL(", ").join(map(Identifier, columns))
        said = SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, HEADER)").format(spoken, table)
        cursor.copy_expert(said, sink)
        return int(cursor.rowcount)


def _sync(folder: Path) -> None:
    """Bring the name of a file to the disk too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hash_of(file: Path) -> str:
    """Return the SHA-256 of an archive: of what is packed in it, if it is packed.

    Raises:
        OSError: it cannot be read, or is cut off.
    """
    if file.suffix == ".gz":
        return _hash_of_packed(file)
    return _hash_of_plain(file)


def _hash_of_plain(file: Path) -> str:
    with file.open("rb") as plain:
        return _hash_of_stream(plain)


def _hash_of_packed(file: Path) -> str:
    try:
        with gzip.open(file, "rb") as packed:
            return _hash_of_stream(packed)
    except (EOFError, zlib.error) as error:
        raise OSError(f"what is packed in it is damaged: {error}") from error


def _hash_of_stream(stream: _Source) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
