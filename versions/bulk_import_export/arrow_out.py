"""Write rows, which the server gives as CSV, as Parquet or Arrow. No database here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from spotify_ai_agent_migrations.versions.bulk_import_export.arrow_in import arrow
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import quoted
from spotify_ai_agent_migrations.versions.bulk_import_export.records import end_of_records
from spotify_ai_agent_migrations.versions.bulk_import_export.sink import Sink
from spotify_ai_agent_migrations.versions.core.errors import TableError

_GROUP_BYTES: Final = 4 << 20
_DIGITS_MOST: Final = 38
_SIMPLE: Final = {
    "boolean": "bool_", "smallint": "int16", "integer": "int32", "bigint": "int64", "real": "float32",
    "double precision": "float64", "date": "date32",
}  # fmt: skip
_BOM: Final = b"\xef\xbb\xbf"
_CODECS: Final = {"none": "zstd", "zstd": "zstd", "gzip": "gzip"}


class ArrowSink:
    """Takes CSV without a header, in any pieces, and writes it into *sink* by row groups."""

    def __init__(
        self, sink: Sink, names: Sequence[str], types: Sequence[str], form: str, compression: str
    ) -> None:
        self._pa = arrow()
        self._names = list(names)
        self._types = [arrow_type(self._pa, type_) for type_ in types]
        self._is_bytes = [type_ == "bytea" for type_ in types]
        self._form = form
        schema = self._pa.schema(
            [
                self._pa.field(name, self._pa.binary() if is_bytes else found)
                for name, found, is_bytes in zip(names, self._types, self._is_bytes, strict=True)
            ]
        )
        self._schema = schema
        self._held = bytearray()
        self._writer = self._open(sink, compression)

    def _open(self, sink: Sink, compression: str) -> Any:
        place = self._pa.PythonFile(_Place(sink), mode="w")
        codec = _CODECS[compression]
        if self._form == "parquet":
            return import_module("pyarrow.parquet").ParquetWriter(place, self._schema, compression=codec)
        options = self._pa.ipc.IpcWriteOptions(compression="zstd" if compression == "zstd" else None)
        return self._pa.ipc.new_file(place, self._schema, options=options)

    def write(self, data: bytes) -> int:
        """Take some CSV; the driver calls this for every row."""
        self._held += data
        if len(self._held) >= _GROUP_BYTES:
            held = bytes(self._held)
            end = end_of_records(held)
            self._held = bytearray(held[end:])
            if end:
                self._group(memoryview(held)[:end])
        return len(data)

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        if self._held:
            self._group(memoryview(bytes(self._held)))
            self._held.clear()
        self._writer.close()

    def _group(self, data: memoryview) -> None:
        self._writer.write_table(self._table(data))

    def _table(self, data: memoryview) -> Any:
        csv = import_module("pyarrow.csv")
        # The names of a query may be there twice.
        places = [str(place) for place in range(len(self._names))]
        # The library drops one at the beginning, and it may be the first value's own.
        data = memoryview(_BOM + bytes(data)) if bytes(data[: len(_BOM)]) == _BOM else data
        try:
            found = csv.read_csv(
                self._pa.BufferReader(data),
                read_options=csv.ReadOptions(
                    use_threads=False, block_size=len(data) + 1, column_names=places
                ),
                parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(places) > 1),
                convert_options=csv.ConvertOptions(
                    column_types=dict(zip(places, self._types, strict=True)), null_values=[""],
                    true_values=["t"], false_values=["f"], strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )  # fmt: skip
        except self._pa.ArrowInvalid as error:
            raise self._unfit(error) from None
        columns = [
            self._pa.array([_decoded(one.as_py()) for one in column], self._pa.binary())
            if is_bytes
            else column
            for column, is_bytes in zip(found.columns, self._is_bytes, strict=True)
        ]
        return self._pa.Table.from_arrays(columns, schema=self._schema)

    def _unfit(self, error: Exception) -> TableError:
        """Say which column holds what its Arrow type cannot; the library's words repeat the value."""
        found = re.search(r"column #(\d+)", str(error))
        name = quoted(self._names[int(found[1])]) if found else "a column"
        return TableError(
            f"{name} holds a value that {self._form} has no form for, such as infinity or a year before 1",
            hint=f"write it as text: --query with {name}::text, or another format",
        )


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text[2:])


class _Place:
    """A sink as the library wants a file to be."""

    closed = False

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._at = 0

    def write(self, data: Any) -> int:
        size = self._sink.write(bytes(data))
        self._at += size
        return size

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Leave it to the sink."""

    def close(self) -> None:
        """Leave it to the sink."""


def arrow_type(pa: Any, type_: str) -> Any:
    """Return the Arrow type for a type of PostgreSQL; what has none of its own is a text."""
    name = re.sub(r"\(\d+\)", "", type_)
    if name in _SIMPLE:
        return getattr(pa, _SIMPLE[name])()
    if name == "timestamp without time zone":
        return pa.timestamp("us")
    if name == "timestamp with time zone":
        return pa.timestamp("us", "UTC")
    if name == "time without time zone":
        return pa.time64("us")
    if (digits := re.fullmatch(r"numeric\((\d+),(\d+)\)", type_)) and int(digits[1]) <= _DIGITS_MOST:
        return pa.decimal128(int(digits[1]), int(digits[2]))
    return pa.string()
