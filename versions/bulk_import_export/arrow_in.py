"""Read Parquet and Arrow as COPY text, some thousand rows at a time. No database here."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, BinaryIO, Final

from spotify_ai_agent_migrations.versions.core.errors import FileError

_BATCH_ROWS: Final = 8192
_UNITS: Final = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}


@dataclass(frozen=True)
class Columnar:
    """What a columnar file holds: the names of its columns, those that hold lists, and its rows as text."""

    names: tuple[str, ...]
    lists: frozenset[str]
    text: Any


def arrow() -> Any:
    """Return pyarrow.

    Raises:
        FileError: it is not installed.
    """
    try:
        return import_module("pyarrow")
    except ImportError:
        raise FileError(
            "Parquet and Arrow need pyarrow, which is not installed",
            hint="pip install 'spotify-ai-agent-migrations[arrow]'",
        ) from None


def open_columnar(
    file: BinaryIO, name: str, form: str, taken: Callable[[float], None], *, left: str
) -> Columnar:
    """Open *file*, which is in *form*, parquet or arrow; *taken* is told which share of it is read.

    *left* is what a load leaves that finds it broken, in the words of a hint.

    Raises:
        FileError: pyarrow is not installed, or the file is not what it begins like.
    """
    pa = arrow()
    try:
        with _own_memory(pa):
            schema, batches = _parquet(pa, file) if form == "parquet" else _arrow(pa, file)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(name, form, error, left) from error
    lists = frozenset(field.name for field in schema if pa.types.is_nested(field.type))
    return Columnar(
        tuple(schema.names), lists, io.BufferedReader(_Text(pa, name, form, batches, taken, left), 1 << 20)
    )


def _unreadable(name: str, form: str, error: Exception, left: str) -> FileError:
    return FileError(
        f'"{name}" cannot be read as {form}: {type(error).__name__}',
        hint=f"mend the file and run again; {left}",
    )


Batches = Iterator[tuple[Any, float]]


def _parquet(pa: Any, file: BinaryIO) -> tuple[Any, Batches]:
    found = import_module("pyarrow.parquet").ParquetFile(pa.PythonFile(file, mode="r"), pre_buffer=False)

    def batches() -> Batches:
        rows, most = 0, max(1, found.metadata.num_rows)
        for batch in found.iter_batches(_BATCH_ROWS, use_threads=False):
            rows += batch.num_rows
            yield batch, rows / most

    return found.schema_arrow, batches()


def _arrow(pa: Any, file: BinaryIO) -> tuple[Any, Batches]:
    source = pa.PythonFile(file, mode="r")
    head = source.read(6)
    source.seek(0)
    if head != b"ARROW1":
        stream = pa.ipc.open_stream(source)
        return stream.schema, ((part, 0.0) for batch in stream for part in _parts(batch))
    found = pa.ipc.open_file(source)
    many = max(1, found.num_record_batches)

    def batches() -> Batches:
        for number in range(found.num_record_batches):
            for part in _parts(found.get_batch(number)):
                yield part, (number + 1) / many

    return found.schema, batches()


def _parts(batch: Any) -> Iterator[Any]:
    for start in range(0, batch.num_rows, _BATCH_ROWS):
        yield batch.slice(start, _BATCH_ROWS)


class _Text(io.RawIOBase):
    """The rows as COPY text."""

    def __init__(
        self, pa: Any, name: str, form: str, batches: Batches, taken: Callable[[float], None], left: str
    ) -> None:
        super().__init__()
        self._pa = pa
        self._name = name
        self._form = form
        self._batches = batches
        self._taken = taken
        self._left = left
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        pa = self._pa
        while not self._ready:
            try:
                with _own_memory(pa):
                    batch, share = next(self._batches, (None, 1.0))
                    text = b"" if batch is None else copy_text(pa, batch)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise _unreadable(self._name, self._form, error, self._left) from error
            if batch is None:
                return 0
            self._taken(share)
            self._ready = memoryview(text)
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


@contextmanager
def _own_memory(pa: Any) -> Iterator[None]:
    """Let the library ask the system for memory in the block: its own pool keeps what it was given once."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def copy_text(pa: Any, batch: Any) -> bytes:
    """Return the rows of *batch* as COPY text, one line each."""
    if not batch.num_rows:
        return b""
    compute = import_module("pyarrow.compute")
    columns = [_escaped(compute, _texts(pa, compute, column)) for column in batch.columns]
    options = {"null_handling": "replace", "null_replacement": "\\N"}
    lines = compute.binary_join_element_wise(*columns, _one(pa, "\t"), **options)
    whole = compute.binary_join_element_wise(lines, _one(pa, "\n"), _one(pa, ""))
    return bytes(whole.buffers()[2])


def _texts(pa: Any, compute: Any, column: Any) -> Any:
    """Return *column* as texts that PostgreSQL reads as the same values."""
    kind = column.type
    types = pa.types
    if types.is_dictionary(kind):
        return _texts(pa, compute, column.dictionary_decode())
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            return _each(pa, column, str)
        return _texts(pa, compute, column.storage)
    if types.is_null(kind):
        return pa.nulls(len(column), pa.large_string())
    if types.is_nested(kind):
        return _each(pa, column, lambda value: json.dumps(value, default=_plain, ensure_ascii=False))
    if "binary" in str(kind):
        return _each(pa, column, lambda value: "\\x" + value.hex())
    if types.is_duration(kind):
        return _durations(pa, compute, column)
    if types.is_interval(kind):
        return _each(
            pa, column, lambda value: f"{value[0]} mons {value[1]} days {value[2] / 1000} microseconds"
        )
    if types.is_timestamp(kind) and kind.tz is not None:
        # Without a zone, as nothing but UTC is meant: to write with one takes ten times as long.
        plain = compute.cast(compute.cast(column, pa.timestamp(kind.unit, "UTC")), pa.timestamp(kind.unit))
        texts = compute.cast(plain, pa.large_string())
        return compute.binary_join_element_wise(texts, _one(pa, "Z"), _one(pa, ""))
    if types.is_float16(kind):
        column = compute.cast(column, pa.float32())
    return compute.cast(column, pa.large_string())


def _one(pa: Any, text: str) -> Any:
    return pa.scalar(text, pa.large_string())


def _each(pa: Any, column: Any, text: Callable[[Any], str]) -> Any:
    values = (value.as_py() for value in column)
    return pa.array([None if value is None else text(value) for value in values], pa.large_string())


def _plain(value: object) -> str:
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def _durations(pa: Any, compute: Any, column: Any) -> Any:
    unit, numbers = column.type.unit, compute.cast(column, pa.int64())
    if unit == "ns":
        unit, numbers = "us", compute.divide(numbers, 1000)
    texts = compute.cast(numbers, pa.large_string())
    return compute.binary_join_element_wise(texts, _one(pa, _UNITS[unit]), _one(pa, " "))


def _escaped(compute: Any, texts: Any) -> Any:
    """Write as COPY text wants it what would part fields and lines."""
    # The buffer is that of the whole batch, of which these are a slice.
    if not compute.any(compute.match_substring_regex(texts, r"[\\\t\n\r]")).as_py():
        return texts
    for letter, written in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        texts = compute.replace_substring(texts, letter, written)
    return texts
