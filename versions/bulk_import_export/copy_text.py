r"""Turn delimited text into the text format of COPY, a block at a time. No file and no database here.

Each record is one line of it, so that the line the server names in an error is the number of the record, and
none of the server's own traps in CSV (a line `\.`, mixed line ends) exist.
https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from math import ceil
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record

NULL: Final = b"\\N"
_DECODED_BYTES: Final = 4 << 20
_PAST_ANY: Final = 1 << 63
_UNESCAPED: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPE: Final = re.compile(rb"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.)", re.DOTALL)


def greatest(text: bytes, field: int) -> int | None:
    """Return the greatest whole number that a field (from 0) of COPY *text* holds."""
    values = [line.split(b"\t", field + 1)[field] for line in text.split(b"\n")[:-1]]
    try:
        return max(map(int, values), default=None)
    except ValueError:
        numbers = [number for value in values if (number := _whole_number(value)) is not None]
        return max(numbers, default=None)


def _whole_number(value: bytes) -> int | None:
    """Read what the server reads as a number; since version 16 also 0x1F, 0o17, 0b11 and 1_000."""
    if value == NULL:
        return None
    for base in (10, 0):
        try:
            return int(value, base)
        except ValueError:
            continue
    try:
        number = Decimal(value.decode())
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    # Past any sequence, and never written out: 1e999999 has a million digits.
    return _PAST_ANY if number > _PAST_ANY else ceil(max(number, Decimal(-_PAST_ANY)))


def quick_text(block: bytes, fields: int, delimiter: bytes = b",") -> bytes | None:
    """Convert a whole block by searching and replacing; None where a record needs a closer look.

    For double quotes, doubled inside, and an empty field for NULL. Split at the quotes, every second part
    lies inside a quoted field. The parts outside, joined by one quote each, are the skeleton: it has no line
    end but those between records and no delimiter but those between fields, and a quoted field in it is a
    run of quotes, one for each of its parts.
    """
    if b"\0" in block or not is_utf8(block):
        return None
    parts = block.split(b'"')
    if len(parts) % 2 == 0:
        return None
    skeleton = _separate(b'"'.join(parts[::2]), fields, delimiter)
    lines = skeleton.split(b"\n")
    if lines.pop() or {line.count(b"\t") for line in lines} - {fields - 1}:
        return None
    if len(parts) == 1:
        return skeleton
    # A run of several quotes is a field with a quote inside: NUL, which no block holds, keeps its place.
    skeleton = _twice(skeleton, b'""', b'"\0"')
    if not _runs_are_fields(skeleton):
        return None
    parts[::2] = skeleton.split(b'"')
    parts[1::2] = _escape(b'"'.join(parts[1::2])).split(b'"')
    return b"".join(parts).replace(b"\0", b'"')


def is_utf8(block: bytes) -> bool:
    """Tell whether *block* is UTF-8."""
    if block.isascii():
        return True
    decode = getincrementaldecoder("utf-8")().decode
    try:
        # As letters it may take four times as much.
        for start in range(0, len(block), _DECODED_BYTES):
            decode(block[start : start + _DECODED_BYTES], start + _DECODED_BYTES >= len(block))
    except UnicodeDecodeError:
        return False
    return True


def _separate(skeleton: bytes, fields: int, delimiter: bytes) -> bytes:
    """Put tabs for commas, LF for every line end and the mark of NULL where a field is empty."""
    if b"\r" in skeleton:
        skeleton = skeleton.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\\" in skeleton:
        skeleton = skeleton.replace(b"\\", b"\\\\")
    if delimiter != b"\t" and b"\t" in skeleton:
        skeleton = skeleton.replace(b"\t", b"\\t")
    skeleton = b"\n" + skeleton.replace(delimiter, b"\t")
    if fields == 1:
        return _twice(skeleton, b"\n\n", b"\n\\N\n")[1:]
    skeleton = skeleton.replace(b"\n\t", b"\n\\N\t").replace(b"\t\n", b"\t\\N\n")
    return _twice(skeleton, b"\t\t", b"\t\\N\t")[1:]


def _twice(text: bytes, old: bytes, new: bytes) -> bytes:
    """Replace matches that overlap by one byte: a second pass meets what the first stepped over."""
    return text.replace(old, new).replace(old, new) if old in text else text


def _runs_are_fields(skeleton: bytes) -> bool:
    """Tell whether each run of quotes fills its field: a separator before it, and one behind."""
    runs = skeleton.count(b'"') - skeleton.count(b"\0")
    begun = skeleton.count(b'\t"') + skeleton.count(b'\n"') + skeleton.startswith(b'"')
    ended = skeleton.count(b'"\t') + skeleton.count(b'"\n')
    return runs == begun == ended


def _escape(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def line_of(fields: Sequence[bytes | None]) -> bytes:
    """Return *fields* as a line of COPY text."""
    pieces: list[bytes] = []
    for value in fields:
        pieces += (NULL if value is None else _escape(value), b"\t")
    pieces[-1] = b"\n"
    # At one go: to put the line end behind a long line would copy it once more.
    return b"".join(pieces)


def fields_of(line: bytes) -> tuple[bytes | None, ...]:
    """Return the fields of a line of COPY text, without its line end."""
    return tuple(None if part == NULL else _ESCAPE.sub(_meant, part) for part in line.split(b"\t"))


def _meant(found: re.Match[bytes]) -> bytes:
    escaped = found[1]
    if escaped[:1] == b"x" and len(escaped) > 1:
        return bytes([int(escaped[1:], 16)])
    if escaped.isdigit() and escaped < b"8":
        return bytes([int(escaped, 8) & 0xFF])
    return _UNESCAPED.get(escaped, escaped)


def check(record: Record, fields: int) -> None:
    """Refuse a record that has not as many fields as the header, or what cannot be stored as text.

    Raises:
        Malformed: says which.
    """
    found = len(record.fields)
    for index, value in enumerate(record.fields):
        check_text(value or b"", line=record.line, field=index if found == fields else None)
    if found == fields:
        return
    refuse_blank_line(record.line if record.fields == (None,) else None)
    raise Malformed(
        record.line,
        f"{_fields(found)} where the header has {fields}",
        hint="give the line as many fields as the header; a field with a comma in it needs quotes",
    )


def check_text(value: bytes, *, line: int, field: int | None) -> None:
    """Refuse bytes that PostgreSQL cannot store as text.

    Raises:
        Malformed: a NUL byte, or bytes that are not UTF-8.
    """
    if b"\0" in value:
        raise Malformed(
            line,
            "a NUL byte, which PostgreSQL cannot store",
            field=field,
            hint="remove it and run again",
            sqlstate="22021",
        )
    if not is_utf8(value) and value:
        raise Malformed(
            line,
            "bytes that are not UTF-8",
            field=field,
            hint="convert the file, for example with: iconv -f WINDOWS-1252 -t UTF-8; or name its encoding",
            sqlstate="22021",
        )


def refuse_blank_line(line: int | None) -> None:
    """Refuse a blank line that is not at the end of the file.

    Raises:
        Malformed: *line* is the number of one.
    """
    if line is not None:
        raise Malformed(line, "the line is blank", hint="remove the line and run again")


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"
