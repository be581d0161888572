"""Write the rows of a table to a file, and prove that they are in it."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
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
    """What is in a file: how many rows, and the SHA-256 of the Parquet file, or of the CSV uncompressed."""

    file: Path
    rows: int
    sha256: str


class _Sink(Protocol):
    def write(self, data: bytes, /) -> int: ...


class _Hashed:
    """Passes bytes on and hashes them."""

    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._sink.write(data)


def archive(session: Session, schema: str, plain: str, folder: Path, form: ArchiveFormat = "csv") -> Archived:
    """Copy a table into `folder/schema.table.csv.gz`, readable by this user alone, and read it back.

    Memory: a megabyte, or 20,000 rows. The file has its name only when it is whole and on the disk.

    Raises:
        FileError: the folder cannot be written, or the file does not hold what was written to it.
    """
    file = folder / _SAFE.sub("_", f"{schema}.{plain}.{_SUFFIXES[form]}")
    unfinished = file.with_suffix(".unfinished")
    try:
        if form == "parquet":
            rows, sha256 = write_parquet(session, schema, plain, unfinished)
        else:
            rows, sha256 = _write_csv(session, schema, plain, unfinished)
        unfinished.replace(file)
    except OSError as error:
        raise FileError(
            f'"{file}" cannot be written: {error.strerror}', hint="name a folder that exists, with room"
        ) from error
    return Archived(file, rows, sha256)


def _write_csv(session: Session, schema: str, plain: str, file: Path) -> tuple[int, str]:
    rows, sha256 = _write(session, Identifier(schema, plain), file)
    if _hash_of(file) != sha256:
        raise FileError(
            f'"{file}" does not hold what was written to it', hint="look at the disk, and run it again"
        )
    return rows, sha256


def _write(session: Session, table: Identifier, file: Path) -> tuple[int, str]:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as packed:
            sink = _Hashed(packed)
            with session.connection.cursor() as cursor:
                cursor.copy_expert(
                    SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv, HEADER)").format(table), sink
                )
                rows = cursor.rowcount
        raw.flush()
        os.fsync(raw.fileno())
    return rows, sink.digest.hexdigest()


def _hash_of(file: Path) -> str:
    digest = hashlib.sha256()
    with gzip.open(file, "rb") as packed:
        while chunk := packed.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
