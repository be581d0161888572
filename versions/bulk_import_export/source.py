"""Read a CSV file in blocks that end where a record ends, and find its records again. No database here."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Final

from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import check_text, refuse_blank_line
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.records import (
    Malformed,
    Record,
    count_lines,
    end_of_records,
    line_end_length,
    parse,
)
from spotify_ai_agent_migrations.versions.core.errors import FileError

_BLOCK_BYTES: Final = 1 << 20
# One record lies in memory whole, and a quote that is never closed makes one of all the rest of a file.
RECORD_MOST_BYTES: Final = 256 << 20

_BOM: Final = b"\xef\xbb\xbf"
_NOT_TEXT: Final = {
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\0": "compressed with xz",
    b"PK\x03\x04": "a zip archive, as an .xlsx is",
}
_NOT_UTF8: Final = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@dataclass(frozen=True)
class Block:
    """Whole records: the line the first one starts on, how many bytes of the file lie before it, the data."""

    line: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class _Mark:
    """Where the records of one block lie in the file, to find them again without reading it all."""

    records: int
    line: int
    offset: int
    length: int


class Source:
    """A CSV file: its header, its blocks once, and any record again by its number.

    Blank lines at the end are left out, unless the header names one column: there each is a NULL.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.path = path
        self._file = file
        self._state = _state(file)
        self._marks: list[_Mark] = []
        self._records = 0
        self._raw = _cut(file, path)
        self.header, self._rest = self._read_header()

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks behind the header, none of them empty.

        Raises:
            Malformed: a blank line in the middle, or a record longer than `RECORD_MOST_BYTES`.
        """
        blank: int | None = None
        for raw in chain((self._rest,), self._raw):
            block = _without_blank_lines(raw) if len(self.header) > 1 else raw
            if block.data:
                refuse_blank_line(blank)
                yield block
            if len(block.data) < len(raw.data):
                blank = blank or block.line + count_lines(block.data)

    def refuse_changed(self) -> None:
        """Refuse a file that is not as it was opened: what was read is not the whole of it. A pipe passes.

        Raises:
            FileError: it grew, shrank or was written to.
        """
        if self._file.seekable() and not self._unchanged():
            raise FileError(
                f'"{self.path}" changed while it was read',
                hint="wait until it is written; nothing was loaded",
            )

    def mark(self, block: Block, records: int) -> None:
        """Remember that *block* holds *records*."""
        self._marks.append(_Mark(self._records, block.line, block.offset, len(block.data)))
        self._records += records

    def record(self, number: int) -> Record | None:
        """Return record *number* (from 1) once more; None if the file cannot be read again."""
        at = bisect_right([mark.records for mark in self._marks], number - 1) - 1
        if at < 0 or not self._unchanged():
            return None
        mark = self._marks[at]
        return next(islice(self._again(mark), number - mark.records - 1, None), None)

    def again(self) -> Iterator[Record]:
        """Yield the records read so far once more; none if the file cannot be read again."""
        if self._unchanged():
            for mark in self._marks:
                yield from self._again(mark)

    def _again(self, mark: _Mark) -> Iterator[Record]:
        self._file.seek(mark.offset)
        yield from parse(_read_all(self._file, mark.length), line=mark.line)

    def _unchanged(self) -> bool:
        return self._file.seekable() and _state(self._file) == self._state

    def _read_header(self) -> tuple[tuple[str, ...], Block]:
        """Return the names in the first record, and what lies behind it in the first block."""
        try:
            first = next(self._raw, Block(1, 0, b"\n"))
            record = next(parse(first.data))
            for field, value in enumerate(record.fields):
                check_text(value or b"", line=1, field=field)
        except Malformed as fault:
            raise FileError(f'"{self.path}" line {fault.line}: {fault.problem}', hint=fault.hint) from None
        names = tuple((value or b"").decode() for value in record.fields)
        line = 1 + count_lines(first.data, 0, record.end)
        return names, Block(line, first.offset + record.end, first.data[record.end :])


def _cut(file: BinaryIO, path: Path) -> Iterator[Block]:
    """Cut *file* into blocks of whole records; only the last one may lack its line end, and is given it."""
    data = _opening(file, path)
    line, offset = 1, len(_BOM) if data.startswith(_BOM) else 0
    data = data[offset:]
    while True:
        end = end_of_records(data)
        if end:
            yield Block(line, offset, data[:end])
            line, offset, data = line + count_lines(data, 0, end), offset + end, data[end:]
        else:
            _refuse_endless(data, line)
        # As much again as is left over, so that a record of many blocks is not searched once for each.
        more = _read_all(file, max(_BLOCK_BYTES, len(data)))
        if not more:
            break
        data += more
    if data:
        yield Block(line, offset, data if data.endswith(b"\r") else data + b"\n")


def _opening(file: BinaryIO, path: Path) -> bytes:
    """Read the first block; refuse a file that is empty or something else than CSV in UTF-8."""
    data = _read_all(file, _BLOCK_BYTES)
    if not data:
        raise FileError(
            f'"{path}" is empty', hint="give it at least a header: a line with the names of columns"
        )
    refuse_other_formats(data, path)
    return data


def _without_blank_lines(block: Block) -> Block:
    """Return *block* without the blank lines at its end."""
    text = len(block.data.rstrip(b"\r\n"))
    if text:
        text += line_end_length(block.data, text)
    return Block(block.line, block.offset, block.data[:text])


def _refuse_endless(data: bytes, line: int) -> None:
    """Refuse a record that cannot end well, before the rest of the file is read into memory for it."""
    for _ in parse(data, line=line, final=False):
        pass
    if len(data) > RECORD_MOST_BYTES:
        raise Malformed(
            line,
            f"the record is longer than {RECORD_MOST_BYTES >> 20} MiB",
            hint="look for a quote that is opened and never closed",
        )


def refuse_other_formats(data: bytes, path: Path) -> None:
    """Refuse what begins like something else than text in UTF-8.

    Raises:
        FileError: names what the file is.
    """
    for magic, what in _NOT_TEXT.items():
        if data.startswith(magic):
            raise FileError(
                f'"{path}" is {what}, and CSV is expected', hint="decompress or export it to CSV first"
            )
    for mark, encoding in _NOT_UTF8.items():
        if data.startswith(mark):
            raise FileError(
                f'"{path}" is in {encoding}, and UTF-8 is expected',
                hint=f'convert it: iconv -f {encoding} -t UTF-8 "{path}"',
            )


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open *path* for the block and read its header.

    Raises:
        FileError: missing, a directory, unreadable, empty, not UTF-8, compressed, or without a header.
    """
    try:
        file = path.open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise FileError(
            f'"{shown(str(path))}" cannot be read: {reason_of(error)}',
            hint="mend the path or the permissions of the file",
        ) from error
    with file:
        yield Source(file, path)


def reason_of(error: Exception) -> str:
    """Return why a file cannot be opened, in the words of the system."""
    if isinstance(error, ValueError):
        return "its name holds a NUL byte" if "null" in str(error) else "its name cannot be encoded"
    return ((error.strerror if isinstance(error, OSError) else None) or "no reason given").lower()


def _read_all(file: BinaryIO, size_bytes: int) -> bytes:
    """Read *size_bytes*, or what is left: a pipe gives less at a time."""
    parts: list[bytes] = []
    while size_bytes > 0 and (part := file.read(size_bytes)):
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


def _state(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns
