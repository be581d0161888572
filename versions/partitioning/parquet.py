"""Write the rows of a table to a Parquet file, every value exactly, and read all of them back.

What a type becomes:
    smallint, integer, bigint, boolean, real, double precision, bytea    their equals
    date, timestamp, timestamptz    date, and microseconds in UTC; infinity is the largest number, signed
    any other, numeric, jsonb, arrays, enums and uuid among them    the text that PostgreSQL reads back
    money    refused: what its text means is a setting of the server
Each column bears the name of its type, `postgresql.type`, to be cast to when it is loaded again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from psycopg2.sql import SQL, Composable, Identifier

from spotify_ai_agent_migrations.versions.core.errors import FileError, SettingsError, TableError
from spotify_ai_agent_migrations.versions.partitioning.session import Session, said

_ROWS: Final = 20_000
_CURSOR: Final = "agentdb_archive"
# By base type: the numbers that are read and compared, and what Parquet takes them for.
_FORMS: Final = MappingProxyType(
    {
        "smallint": ("int16", "int16"),
        "integer": ("int32", "int32"),
        "bigint": ("int64", "int64"),
        "boolean": ("bool", "bool"),
        "real": ("float32", "float32"),
        "double precision": ("float64", "float64"),
        "bytea": ("binary", "binary"),
        "date": ("int32", "date32"),
        "timestamp without time zone": ("int64", "timestamp[us]"),
        "timestamp with time zone": ("int64", "utc"),
    }
)
_TEXT: Final = ("string", "string")
_REFUSED: Final = frozenset({"money", "money[]"})
# The text of a value must not depend on what a role or a database has set.
_SETTINGS: Final = (
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL TimeZone = 'UTC'",
)


@dataclass(frozen=True)
class _Column:
    """A column: its name, its type as declared, and the base type that a domain comes to."""

    name: str
    declared: str
    base: str

    @property
    def form(self) -> tuple[str, str]:
        return _FORMS.get(self.base, _TEXT)

    @property
    def read(self) -> Composable:
        """What is selected for it."""
        name = Identifier(self.name)
        if self.base == "date":
            return said("read_day", column=name)
        if self.base.startswith("timestamp"):
            return said("read_instant", column=name)
        # A cast to text would cut the blanks off a char(n).
        return name if self.base in _FORMS or self.base == "character" else said("read_text", column=name)


def write_parquet(session: Session, schema: str, plain: str, file: Path) -> int:
    """Write a table to *file*, read it back, and return its number of rows.

    Memory: 20,000 rows. In one snapshot.

    Raises:
        SettingsError: pyarrow is not installed.
        TableError: a column cannot be written exactly; it is named.
        FileError: the file does not hold what was written to it.
    """
    arrow = _arrow()
    columns = _columns(session, schema, plain)
    digests = _write(arrow, session, SQL("{}").format(Identifier(schema, plain)), columns, file)
    try:
        rows, found = _read_back(arrow, columns, file)
    except (OSError, ValueError):
        rows, found = -1, []
    if (rows, found) != (sum(many for _, many in digests), [digest for digest, _ in digests]):
        raise FileError(
            f'"{file}" does not hold what was written to it', hint="look at the disk, and run it again"
        )
    return rows


def _arrow() -> Any:  # noqa: ANN401  (an optional, untyped library)
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SettingsError(
            'to write Parquet takes pyarrow: pip install "spotify-ai-agent-migrations[arrow]"',
            hint="or write CSV: UPDATE ops.partition_policy SET archive_format = 'csv'",
        ) from None
    return pyarrow


def _columns(session: Session, schema: str, plain: str) -> tuple[_Column, ...]:
    table = session.text(Identifier(schema, plain))
    found = tuple(_Column(*row) for row in session.ask("types_of", table=table))
    refused = [f'"{one.name}" is of type {one.base}' for one in found if one.base in _REFUSED]
    instants = [one for one in found if one.form[1] in {"utc", "timestamp[us]"}]
    if instants:
        beyond = SQL(", ").join(said("is_beyond", column=Identifier(one.name)) for one in instants)
        late = session.ask(SQL("SELECT {} FROM {}").format(beyond, Identifier(schema, plain)))[0]
        refused += [
            f'"{one.name}" has times of the year 294247 or later'
            for one, is_late in zip(instants, late, strict=True)
            if is_late
        ]
    if refused:
        raise TableError(
            f"table {table} cannot be written to Parquet exactly: {'; '.join(refused)}",
            hint="write CSV: UPDATE ops.partition_policy SET archive_format = 'csv'",
        )
    return found


def _write(
    arrow: Any,  # noqa: ANN401
    session: Session,
    table: Composable,
    columns: Sequence[_Column],
    file: Path,
) -> list[tuple[bytes, int]]:
    """Write all rows; return the hash and the number of those of each group."""
    schema = arrow.schema(
        [
            arrow.field(one.name, _type(arrow, one.form[1]), metadata={"postgresql.type": one.declared})
            for one in columns
        ]
    )
    written = []
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with arrow.parquet.ParquetWriter(raw, schema, compression="zstd") as writer:
            for batch in _batches(session, table, columns):
                carried = [
                    arrow.array(values, _type(arrow, one.form[0]))
                    for one, values in zip(columns, batch, strict=True)
                ]
                writer.write_batch(
                    arrow.record_batch(
                        [array.cast(field.type) for array, field in zip(carried, schema, strict=True)],
                        schema=schema,
                    )
                )
                written.append((_digest(carried), len(carried[0])))
        raw.flush()
        os.fsync(raw.fileno())
    return written


def _type(arrow: Any, name: str) -> Any:  # noqa: ANN401
    return arrow.timestamp("us", "UTC") if name == "utc" else arrow.type_for_alias(name)


def _batches(session: Session, table: Composable, columns: Sequence[_Column]) -> Iterator[list[list[Any]]]:
    """Yield the rows as columns, some thousands at a time, all of one snapshot."""
    session.run("BEGIN")
    try:
        for statement in _SETTINGS:
            session.run(statement)
        session.run(
            SQL("DECLARE {} NO SCROLL CURSOR FOR SELECT {} FROM {}").format(
                Identifier(_CURSOR), SQL(", ").join(one.read for one in columns), table
            )
        )
        fetch = SQL("FETCH {} FROM {}").format(SQL(str(_ROWS)), Identifier(_CURSOR))
        while rows := session.ask(fetch):
            yield [list(map(_bytes, values)) for values in zip(*rows, strict=True)]
    finally:
        if not session.connection.closed:
            session.run("ROLLBACK")


def _bytes(value: Any) -> Any:  # noqa: ANN401
    return bytes(value) if isinstance(value, memoryview) else value


def _read_back(arrow: Any, columns: Sequence[_Column], file: Path) -> tuple[int, list[bytes]]:  # noqa: ANN401
    """Return how many rows a file holds, and the hash of those of each group."""
    with arrow.parquet.ParquetFile(file) as found:
        digests = []
        for place in range(found.num_row_groups):
            group = found.read_row_group(place).combine_chunks()
            digests.append(
                _digest(
                    [
                        array.cast(_type(arrow, one.form[0]))
                        for one, array in zip(columns, group.columns, strict=True)
                    ]
                )
            )
        return found.metadata.num_rows, digests


def _digest(arrays: Sequence[Any]) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(repr(array.to_pylist()).encode())
    return digest.digest()
