"""Read the records of a CSV file exactly: which fields, on which line. No file and no database here.

Python's csv module cannot do this: it reads `a,,b` and `a,"",b` alike, and here the first holds a NULL and
the second an empty text. https://www.rfc-editor.org/rfc/rfc4180
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FIELD: Final = re.compile(rb'"(?P<quoted>[^"]*(?:""[^"]*)*)"(?!")|(?P<plain>[^",\r\n]*)')
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Record:
    """One record: the line it starts on, where it ends in the data, and its fields; NULL is None."""

    line: int
    end: int
    fields: tuple[bytes | None, ...]


class Malformed(Exception):  # noqa: N818  (what the record is)
    """A record that is not RFC 4180: the line it starts on, why, and the field (from 0) to blame."""

    def __init__(self, line: int, problem: str, *, field: int | None = None, hint: str | None = None) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem
        self.field = field
        self.hint = hint or "mend the line and run again"


def parse(data: bytes, *, line: int = 1, final: bool = True) -> Iterator[Record]:
    """Yield the records of *data*, whose first one starts on *line*.

    A line ends with LF, CRLF or CR, in any mixture. With *final* off, a quote still open at the end of
    *data* is not an error: the record may go on in data to come.

    Raises:
        Malformed: a quote where none may be, text behind a closing quote, or a quote never closed.
    """
    at = 0
    while at < len(data):
        try:
            end, fields = _record(data, at, line)
        except _Open as open_quote:
            if final:
                raise open_quote from None
            return
        yield Record(line, end, fields)
        line += count_lines(data, at, end)
        at = end


def count_lines(data: bytes, start: int = 0, end: int | None = None) -> int:
    """Count the line ends in a stretch of *data*: LF, CRLF and CR are one each."""
    stop = len(data) if end is None else end
    count = data.count(b"\n", start, stop)
    if (returns := data.count(b"\r", start, stop)) > 0:
        count += returns - data.count(b"\r\n", start, stop)
    return count


def end_of_records(data: bytes) -> int:
    """Return where the last whole record of *data* ends, or 0 if there is none.

    A line end is one between records if the quotes before it are even in number.
    """
    # A CR at the very end may be half of a CRLF.
    at = len(data) - data.endswith(b"\r")
    quotes = data.count(b'"', 0, at)
    while True:
        found = data.rfind(b"\n", 0, at)
        found = max(found, data.rfind(b"\r", found + 1, at))
        if found < 0:
            return 0
        quotes -= data.count(b'"', found, at)
        if quotes % 2 == 0:
            return found + 1
        # Inside a quoted field: go on before the quote that opens it.
        at = data.rfind(b'"', 0, found)
        quotes -= 1


def line_end_length(data: bytes, at: int) -> int:
    """Return how many bytes the line end at *at* has."""
    match = _LINE_END.match(data, at)
    return match.end() - at if match else 0


class _Open(Malformed):
    """A quote that is not closed in the data at hand."""


def _record(data: bytes, at: int, line: int) -> tuple[int, tuple[bytes | None, ...]]:
    fields: list[bytes | None] = []
    while True:
        match = _FIELD.match(data, at)
        assert match is not None  # the plain alternative matches nothing at all, too
        quoted, plain = match.groups()
        at = match.end()
        following = data[at : at + 1]
        if following not in {b",", b"\n", b"\r", b""}:
            raise _fault(line, len(fields), after_quoted=quoted is not None, opens=not plain)
        fields.append(plain or None if quoted is None else quoted.replace(b'""', b'"'))
        if following != b",":
            return at + line_end_length(data, at), tuple(fields)
        at += 1


def _fault(line: int, field: int, *, after_quoted: bool, opens: bool) -> Malformed:
    if after_quoted:
        return Malformed(
            line,
            "text follows a closing quote",
            field=field,
            hint='write a quote inside a quoted field twice (""); or an earlier quote is never closed',
        )
    if opens:
        return _Open(
            line,
            "a quote is opened and never closed",
            field=field,
            hint='close it; inside, write "" for a quote',
        )
    return Malformed(
        line,
        "a quote stands inside a field that is not quoted",
        field=field,
        hint='put the whole field in quotes, and write "" for the quote inside',
    )
