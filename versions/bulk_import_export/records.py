"""Read the records of a delimited text exactly: which fields, on which line. No file and no database here.

Python's csv module cannot do this: it reads `a,,b` and `a,"",b` alike, and here the first holds a NULL and
the second an empty text. https://www.rfc-editor.org/rfc/rfc4180
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.grammar import LINE_END, Grammar

RFC_4180: Final = Grammar()
# As many columns as a table can have. https://www.postgresql.org/docs/current/limits.html
FIELDS_MOST: Final = 1600


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the line it starts on, where it lies in the data, and its fields; NULL is None."""

    line: int
    start: int
    end: int
    fields: tuple[bytes | None, ...]


class Malformed(Exception):  # noqa: N818  (what the record is)
    """A record that is not well-formed: its line, why, the field (from 0) to blame, where it lies."""

    def __init__(
        self,
        line: int,
        problem: str,
        *,
        field: int | None = None,
        hint: str | None = None,
        sqlstate: str = "22P04",
    ) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem
        self.field = field
        self.hint = hint or "mend the line and run again"
        self.sqlstate = sqlstate
        self.start = 0
        self.end = 0


class _Open(Malformed):
    """A quote that is not closed in the data at hand."""


def parse(
    data: bytes, grammar: Grammar = RFC_4180, *, line: int = 1, final: bool = True, start: int = 0
) -> Iterator[Record]:
    """Yield the records of *data* from *start*, where *line* begins.

    A line ends with LF, CRLF or CR, in any mixture. With *final* off, a quote still open at the end of
    *data* is not an error: the record may go on in data to come.

    Raises:
        Malformed: a quote where none may be, text behind a closing quote, or a quote never closed.
    """
    at = start
    while at < len(data):
        try:
            end, fields = _record(data, at, line, grammar, final=final)
        except _Open as open_quote:
            if final:
                raise open_quote from None
            return
        yield Record(line, at, end, fields)
        line += count_lines(data, at, end)
        at = end


def records_of(data: bytes, grammar: Grammar = RFC_4180, *, line: int = 1) -> Iterator[Record | Malformed]:
    """Yield the records of *data*, and in place of a malformed one what is wrong; go on behind its line."""
    at = 0
    while at < len(data):
        try:
            for record in parse(data, grammar, line=line, start=at):
                yield record
                at, line = record.end, record.line + count_lines(data, record.start, record.end)
        except Malformed as fault:
            found = LINE_END.search(data, at)
            fault.start, fault.end = at, found.end() if found else len(data)
            at = fault.end
            line += 1
            yield fault


def count_lines(data: bytes, start: int = 0, end: int | None = None) -> int:
    """Count the line ends in a stretch of *data*: LF, CRLF and CR are one each."""
    stop = len(data) if end is None else end
    count = data.count(b"\n", start, stop)
    if (returns := data.count(b"\r", start, stop)) > 0:
        count += returns - data.count(b"\r\n", start, stop)
    return count


def end_of_records(data: bytes, grammar: Grammar = RFC_4180) -> int:
    """Return where the last whole record of *data* ends, or 0 if there is none."""
    if not grammar.quote and grammar.doubled:
        # A CR at the very end may be half of a CRLF.
        return max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
    if grammar.doubled and not grammar.lenient:
        return _end_by_quotes(data, grammar.quote)
    whole = data[:-1] if data.endswith(b"\r") else data
    try:
        ends = [
            record.end
            for record in parse(whole, grammar, final=False)
            if LINE_END.match(whole, record.end - 1)
        ]
    except Malformed:
        # It is said where the records are read.
        return _end_by_quotes(data, grammar.quote) if grammar.quote else len(data)
    return ends[-1] if ends else 0


def _end_by_quotes(data: bytes, quote: bytes) -> int:
    """A line end is one between records if the quotes before it are even in number."""
    # A CR at the very end may be half of a CRLF.
    at = len(data) - data.endswith(b"\r")
    quotes = data.count(quote, 0, at)
    while True:
        found = data.rfind(b"\n", 0, at)
        found = max(found, data.rfind(b"\r", found + 1, at))
        if found < 0:
            return 0
        quotes -= data.count(quote, found, at)
        if quotes % 2 == 0:
            return found + 1
        # Inside a quoted field: go on before the quote that opens it.
        at = data.rfind(quote, 0, found)
        quotes -= 1


def line_end_length(data: bytes, at: int) -> int:
    """Return how many bytes the line end at *at* has."""
    match = LINE_END.match(data, at)
    return match.end() - at if match else 0


def _opens(data: bytes, at: int, grammar: Grammar) -> int:
    """Return where the text of a field begins that opens with a quote; 0 if it does not."""
    at = grammar.behind_blanks(data, at)
    return at + 1 if grammar.quote and data.startswith(grammar.quote, at) else 0


def _record(
    data: bytes, at: int, line: int, grammar: Grammar, *, final: bool
) -> tuple[int, tuple[bytes | None, ...]]:
    fields: list[bytes | None] = []
    match_field, step = grammar.pattern.match, len(grammar.delimiter)
    for _ in range(FIELDS_MOST):
        match = match_field(data, at)
        assert match is not None  # the plain alternative matches nothing at all, too
        quoted, plain = match.groups()
        end = match.end()
        following = data[end : end + step]
        is_odd = following != grammar.delimiter and following[:1] not in {b"\n", b"\r", b""}
        opened = grammar.lenient and quoted is None and _opens(data, at, grammar)
        if opened and not final and grammar.closing(data, opened) < 0:
            raise _fault(line, len(fields), after_quoted=False, opens=True)
        if opened or is_odd:
            end, quoted, plain = grammar.long_field(data, at)
            following = data[end : end + step]
        if following != grammar.delimiter and following[:1] not in {b"\n", b"\r", b""}:
            raise _fault(line, len(fields), after_quoted=quoted is not None, opens=not (plain or b"").strip())
        fields.append(grammar.value(quoted, plain))
        if following != grammar.delimiter:
            return end + line_end_length(data, end), tuple(fields)
        at = end + step
    raise Malformed(
        line,
        f"more than {FIELDS_MOST} fields, and no table has as many columns",
        hint="look for another delimiter, or for a line end that is missing",
    )


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
