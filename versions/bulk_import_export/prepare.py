"""Make of a block what the server is sent: itself where it may be, else COPY text. No database here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, count
from typing import Final, Literal

from spotify_ai_agent_migrations.versions.bulk_import_export.binary import HEADER as HEADER_OF_BINARY
from spotify_ai_agent_migrations.versions.bulk_import_export.binary import TRAILER
from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import line_of, quick_text
from spotify_ai_agent_migrations.versions.bulk_import_export.cutting import LARGE_BYTES, Block
from spotify_ai_agent_migrations.versions.bulk_import_export.grammar import Grammar
from spotify_ai_agent_migrations.versions.bulk_import_export.layout import Layout
from spotify_ai_agent_migrations.versions.bulk_import_export.options import COPY_TEXT
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed, Record, records_of
from spotify_ai_agent_migrations.versions.bulk_import_export.shape import regular_records
from spotify_ai_agent_migrations.versions.bulk_import_export.source import Source

Kind = Literal["csv", "text", "binary"]
# The server wants a quote; this one is none, where no block holds it.
NO_QUOTE: Final = b"\x01"
# What precedes a block of CSV as its header: without one the server's count of lines may be wrong.
HEADER: Final = b"h\n"
# More records than these are read again where they are asked for: each takes far more than its text.
_KEPT_MOST: Final = 20_000


@dataclass(frozen=True)
class Prepared:
    """A block ready to be sent: `payload` holds `sent` records, and `faults` those that were left out.

    `kept` are the records of the payload, where they were read one by one and are not too many. The number
    of the first record of the block in the file is `first`.
    """

    number: int
    block: Block
    kind: Kind
    payload: bytes
    sent: int
    faults: tuple[Malformed, ...] = ()
    kept: tuple[Record, ...] | None = None
    first: int = 1

    @property
    def read(self) -> int:
        """How many records the block has."""
        return self.sent + len(self.faults)


class Preparer:
    """Prepares the blocks of one source for one table."""

    def __init__(
        self,
        source: Source,
        layout: Layout,
        *,
        old_server: bool,
        raw: bool,
        keeps_faults: bool,
        numbered: bool,
    ) -> None:
        self._numbered = numbered
        self.source = source
        self.layout = layout
        grammar = source.grammar
        self._old_server = old_server
        self._keeps_faults = keeps_faults
        self._is_csv = source.dialect.format in {"csv", "tsv"}
        simple = self._is_csv and layout.plain and grammar.doubled and len(grammar.delimiter) == 1
        self._raw = raw and simple and not grammar.trim and raw_null(grammar) is not None
        self._quick = simple and grammar.quote == b'"' and grammar.nulls == {b""} and not grammar.trim
        self._as_it_is = raw and layout.plain and source.dialect.format in COPY_TEXT

    def all(self) -> Iterator[Prepared]:
        """Yield every block, prepared.

        Raises:
            Malformed: the first record that cannot be sent, unless faults are kept.
        """
        first, numbers = 1, count()
        for block in self.source.blocks():
            prepared = self.prepare(next(numbers), block, first)
            first += prepared.read
            yield prepared
            # A long one would be held while the next is read.
            del block, prepared

    def prepare(self, number: int, block: Block, first: int = 1) -> Prepared:
        """Return *block* in the quickest form that means the same to the server."""
        if block.records is not None:
            data = HEADER_OF_BINARY + block.data + TRAILER
            return Prepared(number, block, "binary", data, block.records, first=first)
        if self._is_csv and len(block.data) > LARGE_BYTES:
            return self.exact(number, block, first)
        if self._raw and (records := self._regular(block)) is not None:
            return Prepared(number, block, "csv", block.data, records, first=first)
        if self._as_it_is and not _found(block.data):
            return Prepared(number, block, "text", block.data, block.data.count(b"\n"), first=first)
        text = self._quick_text(block)
        if text is None:
            return self.exact(number, block, first)
        records = text.count(b"\n")
        if self._numbered:
            text = numbered(text, first)
        return Prepared(number, block, "text", text, records, first=first)

    def exact(self, number: int, block: Block, first: int = 1, *, keeps: bool = False) -> Prepared:
        """Return *block* read record by record; with *keeps* they are all kept, however many they are."""
        kept: list[Record] = []
        lines, faults, at = [], [], first - 1
        for record in self.source.records(block):
            at += 1
            try:
                line = self._line(record)
            except Malformed as fault:
                if not self._keeps_faults:
                    raise
                if isinstance(record, Record):
                    fault.start, fault.end = record.start, record.end
                faults.append(fault)
                continue
            if line is None or not isinstance(record, Record):
                at -= 1
                continue
            if keeps or len(kept) <= _KEPT_MOST:
                kept.append(record)
            lines.append(line[:-1] + b"\t%d\n" % at if self._numbered else line)
        records = tuple(kept) if len(kept) == len(lines) else None
        return Prepared(number, block, "text", b"".join(lines), len(lines), tuple(faults), records, first)

    def numbers(self, prepared: Prepared) -> dict[int, tuple[Record, int]]:
        """Return the records of a block by their numbers in the file, and where each lies."""
        exact = self.exact(prepared.number, prepared.block, prepared.first)
        lines = exact.payload.split(b"\n")[:-1]
        return {
            int(line.rpartition(b"\t")[2]): (record, prepared.block.offset + record.start)
            for record, line in zip(exact.kept or (), lines, strict=True)
        }

    def _line(self, record: Record | Malformed) -> bytes | None:
        if isinstance(record, Malformed):
            raise record
        if self.source.is_nothing(record):
            return None
        return line_of(self.layout.values(record))

    def _regular(self, block: Block) -> int | None:
        data, quote = block.data, self.source.grammar.quote or NO_QUOTE
        if self._old_server and b"\\." in data:
            # Before version 18 such a line ended the data, even inside of quotes.
            return None
        if block.lines is not None:
            return block.lines
        if quote == NO_QUOTE and quote in data:
            return None
        return regular_records(data, self.source.grammar.delimiter, quote)

    def _quick_text(self, block: Block) -> bytes | None:
        if not self._quick:
            return None
        return quick_text(block.data, len(self.layout.header), self.source.grammar.delimiter)


def numbered(text: bytes, first: int) -> bytes:
    """Return COPY *text* with the number of each record behind its fields."""
    lines = text.split(b"\n")[:-1]
    return b"".join([b"%b\t%d\n" % (line, number) for number, line in enumerate(lines, first)])


def raw_null(grammar: Grammar) -> str | None:
    """Return the one mark of NULL as the server may know it; None if there are more, or it may not."""
    nulls = sorted(grammar.nulls)
    if len(nulls) != 1 or set(nulls[0]) & {*grammar.delimiter, *grammar.quote, 0x0A, 0x0D, 0}:
        return None
    return nulls[0].decode()


class Finder:
    """Finds the records of a block that the server names by a line of what it was sent."""

    def __init__(self, prepared: Prepared, source: Source) -> None:
        self._prepared = prepared
        self._source = source

    def at(self, line: int) -> Record | None:
        """Return the record that the server means by *line*."""
        if self._prepared.kind == "csv":
            return self._ending(line - 1)
        return self._records[line - 1] if 0 < line <= len(self._records) else None

    @cached_property
    def _records(self) -> Sequence[Record]:
        if self._prepared.kept is not None:
            return self._prepared.kept
        found = self._source.records(self._prepared.block)
        return [record for record in found if isinstance(record, Record)]

    @cached_property
    def _lines(self) -> list[bytes]:
        return self._prepared.block.data.split(b"\n")

    @cached_property
    def _starts(self) -> list[int]:
        """Where each line starts in the block."""
        return [0, *accumulate(len(line) + 1 for line in self._lines)]

    def _ending(self, line: int) -> Record | None:
        """Return the record whose last line is *line* (from 1), looking at no other."""
        if not 0 < line < len(self._lines):
            return None
        grammar, block = self._source.grammar, self._prepared.block
        first = _first_line(self._lines, line - 1, grammar.quote)
        start, end = self._starts[first], self._starts[line]
        found = next(records_of(block.data[start:end], grammar, line=block.line + first), None)
        if not isinstance(found, Record):
            return None
        return Record(found.line, start, start + found.end, found.fields)


def _first_line(lines: Sequence[bytes], last: int, quote: bytes) -> int:
    """Return the line on which the record starts that ends on line *last*: quotes even, or odd on both."""
    if not quote or lines[last].count(quote) % 2 == 0:
        return last
    start = last - 1
    while start > 0 and lines[start].count(quote) % 2 == 0:
        start -= 1
    return max(start, 0)


def _found(data: bytes) -> set[bytes]:
    return {mark for mark in (b"\r", b"\\.", b"\0") if mark in data}
