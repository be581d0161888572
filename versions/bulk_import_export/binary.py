"""Find the records of COPY's binary format. No file and no database here.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record

MAGIC: Final = b"PGCOPY\n\xff\r\n\0"
# Behind the mark: flags, and the length of an extension; neither is in use.
HEADER: Final = MAGIC + bytes(8)
TRAILER: Final = b"\xff\xff"
_SHORT: Final = Struct(">h")
_LONG: Final = Struct(">i")
_CORRUPT: Final = "is no record of binary COPY"


class Walk:
    """Walks over records that come in pieces; knows how many there were, and whether the end was met."""

    def __init__(self, fields: int) -> None:
        self.records = 0
        self.ended = False
        self._fields = fields

    def whole(self, data: bytes, most_bytes: int) -> tuple[int, int]:
        """Return where the last whole record of *data* ends, and how many records there are up to it.

        Raises:
            Malformed: a record of another number of fields, or longer than *most_bytes*.
        """
        at = count = 0
        for _, end in self._each(data, most_bytes):
            at, count = end, count + 1
        self.records += count
        return at, count

    def _each(self, data: bytes, most_bytes: int) -> Iterator[tuple[int, int]]:
        short, long, size, start = _SHORT.unpack_from, _LONG.unpack_from, len(data), 0
        count = self.records
        while start + 2 <= size:
            fields = short(data, start)[0]
            if fields == -1:
                self.ended = True
                return
            count += 1
            if fields != self._fields:
                raise Malformed(count, f"{fields} fields where the table has {self._fields}")
            end = start + 2
            for _ in range(fields):
                if end + 4 > size:
                    return
                length = long(data, end)[0]
                if length < -1 or length > most_bytes:
                    raise Malformed(count, f"it {_CORRUPT}, or it is longer than {most_bytes >> 20} MiB")
                end += 4 + max(length, 0)
            if end > size:
                return
            yield start, end
            start = end


def binary_records(data: bytes, *, number: int) -> Iterator[Record]:
    """Yield the records of *data*, each in its bytes; the line of one is its *number* in the file."""
    at = 0
    while at < len(data):
        start, fields = at, []
        count = _SHORT.unpack_from(data, at)[0]
        at += 2
        for _ in range(count):
            length = _LONG.unpack_from(data, at)[0]
            at += 4
            fields.append(None if length < 0 else data[at : at + length])
            at += max(length, 0)
        yield Record(number, start, at, tuple(fields))
        number += 1


def greatest_binary(data: bytes, place: int) -> int | None:
    """Return the greatest of the whole numbers in a field (from 0) of the records of *data*."""
    fields = (record.fields[place] for record in binary_records(data, number=1))
    return max((int.from_bytes(one, "big", signed=True) for one in fields if one is not None), default=None)


def skip_header(read: Callable[[int], bytes]) -> bytes:
    """Take the header off what *read* gives, and return what came with it.

    Raises:
        Malformed: it is cut short.
    """
    data = read(1 << 16)
    if not data.startswith(MAGIC) or len(data) < len(HEADER):
        raise Malformed(1, f"the file {_CORRUPT}")
    extension = _LONG.unpack_from(data, len(MAGIC) + 4)[0]
    if not 0 <= extension <= len(data) - len(HEADER):
        raise Malformed(1, f"the header {_CORRUPT}")
    return data[len(HEADER) + extension :]


def without_frame(data: bytes) -> bytes:
    """Return the records of what the server wrote, without header and trailer."""
    return data[len(HEADER) : -len(TRAILER)]
