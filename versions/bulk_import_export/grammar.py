"""Say how the fields of a delimited text are written, as one pattern. No file and no database here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BLANKS: Final = re.compile(rb"[ \t]*")
# The library keeps a frame for each round of a group: for a field of quotes alone that would be gigabytes.
_ROUNDS: Final = b"{0,1000}"


@dataclass(frozen=True)
class Grammar:
    """Delimiter, quote and escape as bytes; either of the last two may be empty.

    With `trim`, blanks around a
    field are no part of it. With `lenient`, a quote where none may be is text.
    """

    delimiter: bytes = b","
    quote: bytes = b'"'
    escape: bytes = b'"'
    nulls: frozenset[bytes] = frozenset({b""})
    trim: bool = False
    lenient: bool = False

    @property
    def doubled(self) -> bool:
        """Whether a quote inside of quotes is written twice."""
        return self.escape in {b"", self.quote}

    @property
    def is_standard(self) -> bool:
        """Whether a quote inside of quotes is written twice, and stands nowhere else."""
        return bool(self.quote) and self.doubled and not self.trim and not self.lenient

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """What one field matches: `quoted` without its quotes, or `plain`; not one of too many rounds."""
        return _pattern(self)

    def long_field(self, data: bytes, at: int) -> tuple[int, bytes | None, bytes | None]:
        """Return where the field at *at* ends, and its `quoted` and `plain`, however many rounds it takes."""
        start = self.behind_blanks(data, at)
        if self.quote and data.startswith(self.quote, start):
            closing = self.closing(data, start + 1)
            end = self.behind_blanks(data, closing + 1)
            if closing >= 0 and not (self.lenient and not self._ends(data, end)):
                return end, data[start + 1 : closing], None
        end = self._past(data, at)
        while not self.doubled and data.startswith(self.escape, end) and self._past(data, end) > end:
            end = self._past(data, end)
        return end, None, data[at:end]

    def closing(self, data: bytes, at: int) -> int:
        """Return where the quote stands that closes a field whose text begins at *at*; -1 without one."""
        rounds, goes_on = _inside(self), self.quote if self.doubled else self.escape
        while True:
            found = rounds.match(data, at)
            assert found is not None  # it matches nothing at all, too
            at = found.end()
            following = data[at : at + 2]
            if following[:1] == self.quote and (not self.doubled or following != self.quote * 2):
                return at
            if len(following) < 2 or following[:1] != goes_on:
                return -1

    def behind_blanks(self, data: bytes, at: int) -> int:
        """Return where the blanks at *at* end that are no part of a field."""
        found = _BLANKS.match(data, at) if self.trim else None
        return found.end() if found else at

    def _past(self, data: bytes, at: int) -> int:
        found = self.pattern.match(data, at)
        return found.end() if found else at

    def _ends(self, data: bytes, at: int) -> bool:
        """Tell whether a field may end at *at*."""
        return data.startswith(self.delimiter, at) or data[at : at + 1] in {b"\n", b"\r", b""}

    def value(self, quoted: bytes | None, plain: bytes | None) -> bytes | None:
        """Return what a field says; None is NULL."""
        if quoted is not None:
            if self.doubled:
                return quoted.replace(self.quote * 2, self.quote)
            return self._unescaped(quoted)
        text = (plain or b"").strip(b" \t") if self.trim else plain or b""
        if text in self.nulls:
            return None
        if not self.doubled and self.escape in text:
            return self._unescaped(text)
        return text

    def _unescaped(self, text: bytes) -> bytes:
        """Return what *text* says, some rounds at a time: of each letter of it the library keeps a copy."""
        rounds, twice = _rounds(self.escape), self.escape * 2
        parts, at = [], 0
        while (found := rounds.match(text, at)) is not None and found.end() > at:
            at = found.end()
            parts.append(self.escape.join(one.replace(self.escape, b"") for one in found[0].split(twice)))
        return b"".join([*parts, text[at:]])


@cache
def _rounds(escape: bytes) -> re.Pattern[bytes]:
    mark = re.escape(escape)
    return re.compile(rb"[^" + mark + rb"]*(?:" + mark + rb"[\s\S][^" + mark + rb"]*)" + _ROUNDS)


def csv_line(fields: Sequence[bytes | None], grammar: Grammar | None = None) -> bytes:
    """Return *fields* as one line; None is an empty field, the empty text stands in quotes."""
    grammar = grammar or Grammar()
    return grammar.delimiter.join(_written(field, grammar) for field in fields) + b"\n"


def _written(field: bytes | None, grammar: Grammar) -> bytes:
    quote = grammar.quote
    if field is None or not quote:
        return field or b""
    special = (grammar.delimiter, quote, grammar.escape or quote, b"\n", b"\r")
    if field.strip() == field and field not in grammar.nulls and not any(one in field for one in special):
        return field
    inside = field.replace(grammar.escape, grammar.escape * 2) if not grammar.doubled else field
    return quote + inside.replace(quote, (grammar.escape or quote) + quote) + quote


@cache
def _pattern(grammar: Grammar) -> re.Pattern[bytes]:
    quote = re.escape(grammar.quote)
    if not grammar.quote:
        plain = _run(grammar, b"", b"" if grammar.doubled else grammar.escape)
        return re.compile(rb"(?P<quoted>(?!))|(?P<plain>" + plain + rb")")
    inside = _inside(grammar).pattern
    plain = _run(
        grammar, b"" if grammar.lenient else grammar.quote, b"" if grammar.doubled else grammar.escape
    )
    blank = rb"[ \t]*" if grammar.trim else b""
    closed = rb"(?!" + quote + rb")" if grammar.doubled else b""
    if grammar.lenient:
        # What follows the closing quote decides whether the first one opened anything.
        closed += rb"(?=" + blank + rb"(?:" + re.escape(grammar.delimiter) + rb"|[\r\n]|\Z))"
    opened = blank + quote + rb"(?P<quoted>" + inside + rb")" + quote + closed + blank
    return re.compile(opened + rb"|(?P<plain>" + plain + rb")")


@cache
def _inside(grammar: Grammar) -> re.Pattern[bytes]:
    """Return what stands between quotes."""
    quote, escape = re.escape(grammar.quote), re.escape(grammar.escape)
    if grammar.doubled:
        return re.compile(rb"[^" + quote + rb"]*(?:" + quote * 2 + rb"[^" + quote + rb"]*)" + _ROUNDS)
    both = quote + escape
    return re.compile(rb"[^" + both + rb"]*(?:" + escape + rb"[\s\S][^" + both + rb"]*)" + _ROUNDS)


def _run(grammar: Grammar, quote: bytes, escape: bytes) -> bytes:
    """Return the pattern of a field without quotes, which holds none of *quote* either."""
    delimiter, others = re.escape(grammar.delimiter), re.escape(quote + escape)
    if len(grammar.delimiter) == 1:
        run = rb"[^" + delimiter + others + rb"\r\n]*"
    else:
        run = rb"[\s\S]*?(?=" + delimiter + rb"|[" + others + rb"\r\n]|\Z)"
    if escape:
        return run + rb"(?:" + re.escape(escape) + rb"[\s\S]" + run + rb")" + _ROUNDS
    return run
