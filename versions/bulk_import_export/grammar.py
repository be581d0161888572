"""Say how the fields of a delimited text are written, as one pattern. No file and no database here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

LINE_END: Final = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Grammar:
    """Delimiter, quote and escape as bytes; either of the last two may be empty.

    With `trim`, blanks around a
    quoted field or a NULL are no part of it. With `lenient`, a quote where none may be is text.
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
        """What one field matches: `quoted` without its quotes, or `plain`."""
        return _pattern(self)

    def value(self, quoted: bytes | None, plain: bytes | None) -> bytes | None:
        """Return what a field says; None is NULL."""
        if quoted is not None:
            if self.doubled:
                return quoted.replace(self.quote * 2, self.quote)
            return re.sub(re.escape(self.escape) + rb"(.)", rb"\1", quoted, flags=re.DOTALL)
        text = plain or b""
        if (text.strip(b" \t") if self.trim else text) in self.nulls:
            return None
        if not self.doubled and self.escape in text:
            return re.sub(re.escape(self.escape) + rb"(.)", rb"\1", text, flags=re.DOTALL)
        return text


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
    quote, escape = re.escape(grammar.quote), re.escape(grammar.escape)
    if not grammar.quote:
        plain = _run(grammar, b"", b"" if grammar.doubled else grammar.escape)
        return re.compile(rb"(?P<quoted>(?!))|(?P<plain>" + plain + rb")")
    if grammar.doubled:
        inside = rb"[^" + quote + rb"]*(?:" + quote * 2 + rb"[^" + quote + rb"]*)*"
        plain = _run(grammar, b"" if grammar.lenient else grammar.quote, b"")
    else:
        both = quote + escape
        inside = rb"[^" + both + rb"]*(?:" + escape + rb"[\s\S][^" + both + rb"]*)*"
        plain = _run(grammar, b"" if grammar.lenient else grammar.quote, grammar.escape)
    blank = rb"[ \t]*" if grammar.trim else b""
    closed = rb"(?!" + quote + rb")" if grammar.doubled else b""
    if grammar.lenient:
        # What follows the closing quote decides whether the first one opened anything.
        closed += rb"(?=" + blank + rb"(?:" + re.escape(grammar.delimiter) + rb"|[\r\n]|\Z))"
    opened = blank + quote + rb"(?P<quoted>" + inside + rb")" + quote + closed + blank
    return re.compile(opened + rb"|(?P<plain>" + plain + rb")")


def _run(grammar: Grammar, quote: bytes, escape: bytes) -> bytes:
    """Return the pattern of a field without quotes, which holds none of *quote* either."""
    delimiter = grammar.delimiter
    if len(delimiter) == 1:
        one = rb"[^" + re.escape(delimiter + quote + escape) + rb"\r\n]"
    else:
        one = rb"(?!" + re.escape(delimiter) + rb")[^" + re.escape(quote + escape) + rb"\r\n]"
    if escape:
        return rb"(?:" + one + rb"|" + re.escape(escape) + rb"[\s\S])*"
    return one + rb"*" if len(delimiter) == 1 else rb"(?:" + one + rb")*"
