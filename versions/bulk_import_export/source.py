"""Read a text in blocks that end where a record ends, and find its records again. No database here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.binary import (
    HEADER,
    Walk,
    binary_records,
    skip_header,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import check_text, refuse_blank_line
from spotify_ai_agent_migrations.versions.bulk_import_export.dialect import Dialect, folded, sniff
from spotify_ai_agent_migrations.versions.bulk_import_export.jsonlines import (
    copy_records,
    json_records,
    names_of_objects,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import Opened, Where, open_input
from spotify_ai_agent_migrations.versions.bulk_import_export.options import COPY_TEXT, Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column
from spotify_ai_agent_migrations.versions.bulk_import_export.records import (
    Malformed,
    Record,
    count_lines,
    end_of_records,
    line_end_length,
    records_of,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.shape import alike_lines, regular_records
from spotify_ai_agent_migrations.versions.core.errors import FileError

# Small, and handed out in order: the heap keeps the order of the file, and an error is soon met.
BLOCK_BYTES: Final = 2 << 20
_TRIES: Final = 3
_BLANK_MOST_BYTES: Final = 32 << 20
_BOM: Final = b"\xef\xbb\xbf"
# In others a value may stand first, and begin with the same bytes.
_WITH_BOM: Final = ("csv", "tsv", "jsonl")


@dataclass(frozen=True)
class Block:
    """Whole records: the line the first one starts on, how many bytes of text lie before it, the data.

    In binary a line is a record, and how many `records` there are is known. `lines` is how many lines it has,
    where it is known that each is a record, and that the server reads it as we do.
    """

    line: int
    offset: int
    data: bytes
    records: int | None = None
    lines: int | None = None


class Source:
    """A text: its dialect, its header, its blocks once, and any record again by its number.

    Blank lines at the end are left out, unless the header names one column: there each is a NULL.
    """

    def __init__(self, opened: Opened, columns: Sequence[Column], options: Options) -> None:
        self.name = opened.name
        self.opened = opened
        self._options = options
        self._columns = columns
        self._state = opened.state()
        if not opened.sample and not opened.fields:
            raise FileError(
                f'"{self.name}" is empty', hint="give it at least a header: a line with the names of columns"
            )
        sample = opened.sample.removeprefix(_BOM)
        found = sniff(sample, columns, options, name=self.name, form=opened.form)
        sample = sample if found.format in _WITH_BOM else opened.sample
        self.dialect = replace(found, encoding=opened.encoding, compression=opened.compression)
        self.grammar = self.dialect.grammar
        self._sample = sample
        self._raw = (
            _cut_binary(opened, len(fillable_of(columns)), options)
            if self.dialect.format == "binary"
            else _cut(opened, self.dialect, options)
        )
        self.header, self._rest = self._read_header()
        self._verbatim = _json_fields(self.header, columns, options)

    @property
    def blank_is_null(self) -> bool:
        """Whether a blank line is a record."""
        return len(self.header) == 1 and self.dialect.format != "jsonl"

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks behind the header, none of them empty; of some records only, where that was said.

        Raises:
            Malformed: a blank line in the middle, or a record that is too long.
        """
        blocks = self._blocks()
        return blocks if self._options.only is None else only_at(blocks, self._options.only)

    def _blocks(self) -> Iterator[Block]:
        """Yield the blocks behind the header.

        Raises:
            Malformed: a blank line in the middle, or a record that is too long.
        """
        if self.dialect.format == "binary":
            yield from self._raw
            return
        blank: Block | None = None
        strict = not (self._options.lenient or self._options.keeps_rejects)
        for raw in chain((self._rest,), self._raw):
            block = raw if self.blank_is_null else _without_blank_lines(raw)
            if block.data and blank is not None:
                refuse_blank_line(blank.line if strict else None)
                block = Block(blank.line, blank.offset, blank.data + block.data)
                blank = None
            if block.data:
                yield block
            if len(block.data) < len(raw.data):
                blank = _joined(blank, _rest_of(raw, block))

    def records(self, block: Block) -> Iterator[Record | Malformed]:
        """Yield the records of *block*, and in place of one that is malformed what is wrong."""
        if self.dialect.format == "jsonl":
            return json_records(block.data, self.header, line=block.line, verbatim=self._verbatim)
        if self.dialect.format == "binary":
            return binary_records(block.data, number=block.line)
        if self.dialect.format in COPY_TEXT:
            return copy_records(block.data, line=block.line)
        return records_of(block.data, self.grammar, line=block.line)

    def refuse_changed(self) -> None:
        """Refuse a file that is not as it was opened: what was read is not the whole of it. A pipe passes.

        Raises:
            FileError: it grew, shrank or was written to.
        """
        if self.opened.state() != self._state:
            raise FileError(
                f'"{self.name}" changed while it was read',
                hint=f"wait until it is written; {self._options.left}",
            )

    def again(self) -> Iterator[Record]:
        """Yield the records of the file once more; none if it cannot be read again, or has changed."""
        if self.opened.open_again is None or self.opened.state() != self._state:
            return
        opened = self.opened.open_again()
        try:
            copy = Source(opened, self._columns, self._options)
            for block in copy.blocks():
                yield from (record for record in copy.records(block) if isinstance(record, Record))
        except Malformed:
            return
        finally:
            opened.close()

    def numbered(self, wanted: set[int]) -> dict[int, tuple[Record, int]]:
        """Return the records of these numbers, and where each lies; none if it cannot be read again."""
        found: dict[int, tuple[Record, int]] = {}
        if self.opened.open_again is None or self.opened.state() != self._state:
            return found
        opened, number = self.opened.open_again(), 0
        try:
            copy = Source(opened, self._columns, self._options)
            for block in copy.blocks():
                for record in copy.records(block):
                    number += 1
                    if number in wanted and isinstance(record, Record):
                        found[number] = record, block.offset + record.start
        finally:
            opened.close()
        return found

    def _read_header(self) -> tuple[tuple[str, ...], Block]:
        """Return the names of the fields, and what lies behind them in the first block."""
        try:
            if self.dialect.format == "binary":
                return tuple(column.name for column in fillable_of(self._columns)), Block(1, 0, b"")
            first = next(self._raw, Block(self.dialect.skip_lines + 1, 0, b""))
            if self.opened.fields:
                return self.opened.fields, first
            if self.dialect.format == "jsonl":
                return names_of_objects(self._sample), first
            if not self.dialect.header:
                return tuple(column.name for column in fillable_of(self._columns)), first
            return self._names(first)
        except Malformed as fault:
            raise FileError(f'"{self.name}" line {fault.line}: {fault.problem}', hint=fault.hint) from None

    def _names(self, first: Block) -> tuple[tuple[str, ...], Block]:
        rows = records_of(first.data or b"\n", self.grammar, line=first.line)
        names: tuple[str, ...] = ()
        end = 0
        for number, record in enumerate(islice(rows, self.dialect.header_lines)):
            if isinstance(record, Malformed):
                raise record
            for field, value in enumerate(record.fields):
                check_text(value or b"", line=record.line, field=field)
            names = names if number else tuple((value or b"").decode() for value in record.fields)
            end = record.end
        line = first.line + count_lines(first.data, 0, end)
        return names, Block(line, first.offset + end, first.data[end:])


def only_at(blocks: Iterator[Block], places: Sequence[tuple[int, int]]) -> Iterator[Block]:
    """Yield what lies at *places*, which are offset and length in order, each as a block where it stands."""
    wanted = iter(places)
    place = next(wanted, None)
    for block in blocks:
        end = block.offset + len(block.data)
        line, at = block.line, 0
        while place is not None and place[0] < end:
            start = place[0] - block.offset
            line += count_lines(block.data, at, start)
            at = start
            yield Block(line, place[0], block.data[start : start + place[1]])
            place = next(wanted, None)


def _rest_of(raw: Block, block: Block) -> Block:
    """Return the blank lines at the end of *raw* that are not in *block*, which is all of it but those."""
    length = len(block.data)
    return Block(raw.line + count_lines(raw.data, 0, length), raw.offset + length, raw.data[length:])


def _joined(first: Block | None, second: Block) -> Block:
    if first is not None and len(first.data) > _BLANK_MOST_BYTES:
        raise Malformed(
            first.line, "the blank lines from here on do not end", hint="remove the lines and run again"
        )
    return second if first is None else Block(first.line, first.offset, first.data + second.data)


def _json_fields(header: Sequence[str], columns: Sequence[Column], options: Options) -> frozenset[str]:
    """Return the fields whose columns hold JSON: of those a text is kept with its quotes."""
    targets = {folded(name): column for name, column in options.columns.items()}
    kept = {folded(column.name) for column in columns if column.type in {"json", "jsonb"}}
    return frozenset(name for name in header if folded(targets.get(folded(name)) or name) in kept)


def fillable_of(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns of a file that names none: all that can be filled, in the order of the table."""
    return tuple(column for column in columns if not column.generated)


def _cut(opened: Opened, dialect: Dialect, options: Options) -> Iterator[Block]:
    """Cut a text into blocks of whole records; only the last one may lack its line end, and is given it."""
    blocks = _Cut(opened, dialect, options).blocks()
    return _without_footer(blocks, options.footer_lines) if options.footer_lines else blocks


def _cut_binary(opened: Opened, fields: int, options: Options) -> Iterator[Block]:
    """Cut binary COPY into blocks of whole records.

    Raises:
        Malformed: one is none, or the file ends in the middle.
    """
    walk = Walk(fields)
    data = skip_header(opened.read)
    offset = len(HEADER)
    while True:
        first = walk.records + 1
        end, records = walk.whole(data, options.max_record_bytes)
        if records:
            yield Block(first, offset, data[:end], records)
            data, offset = data[end:], offset + end
        more = opened.read(max(BLOCK_BYTES, len(data)))
        if walk.ended:
            return
        if not more:
            raise Malformed(
                walk.records + 1, "the file ends in the middle of it", hint="write it again, whole"
            )
        data += more


class _Cut:
    def __init__(self, opened: Opened, dialect: Dialect, options: Options) -> None:
        self._opened = opened
        self._dialect = dialect
        self._grammar = dialect.grammar
        self._most = options.max_record_bytes
        self._is_csv = dialect.format in {"csv", "tsv"}
        self._keeps = options.keeps_rejects
        grammar = self._grammar
        # As many blocks more are tried to be read by their lines alone.
        self._tries = _TRIES if self._is_csv and grammar.is_standard and len(grammar.delimiter) == 1 else 0

    def blocks(self) -> Iterator[Block]:
        data = self._opened.read(BLOCK_BYTES // 2)
        offset = len(_BOM) if data.startswith(_BOM) and self._dialect.format in _WITH_BOM else 0
        line, skipped, data = self._skip(data[offset:])
        offset += skipped
        while True:
            block = self._whole(data, line, offset)
            if block.data:
                yield block
                end = len(block.data)
                line += block.lines or count_lines(block.data)
                offset, data = offset + end, data[end:]
            else:
                self._refuse_endless(data, line)
            # As much again as is left over, so that a record of many blocks is not searched once for each.
            more = self._opened.read(max(BLOCK_BYTES, len(data)))
            if not more:
                break
            data += more
        if data:
            yield Block(line, offset, data if data.endswith(b"\r") else data + b"\n")

    def _skip(self, data: bytes) -> tuple[int, int, bytes]:
        """Leave out the lines before the header: return the line, the bytes left out, and the rest."""
        at = 0
        for _ in range(self._dialect.skip_lines):
            found = next((end for end in (_line_end(data, at),) if end), len(data))
            at = found
        return self._dialect.skip_lines + 1, at, data[at:]

    def _whole(self, data: bytes, line: int, offset: int) -> Block:
        """Return the whole records at the beginning of *data*."""
        if self._tries:
            block = data[: data.rfind(b"\n") + 1]
            lines = alike_lines(block, self._grammar.delimiter, self._grammar.quote) if block else None
            if lines is not None:
                self._tries = _TRIES
                return Block(line, offset, block, lines=lines)
            self._tries -= 1
        return Block(line, offset, data[: self._end(data)])

    def _end(self, data: bytes) -> int:
        if not self._is_csv:
            return data.rfind(b"\n") + 1
        end = end_of_records(data, self._grammar)
        if not self._keeps or not self._grammar.is_standard or self._is_regular(data[:end]):
            return end
        return self._end_by_reading(data)

    def _is_regular(self, data: bytes) -> bool:
        """Tell whether no quote stands where none may be: it would turn inside and outside round."""
        grammar = self._grammar
        text = data.replace(b"\r\n", b"\n") if b"\r" in data else data
        return len(grammar.delimiter) == 1 and bool(
            text and regular_records(text, grammar.delimiter, grammar.quote) is not None
        )

    def _end_by_reading(self, data: bytes) -> int:
        """Return where the last whole record ends, or the last line that is none."""
        end = 0
        for record in records_of(data, self._grammar):
            is_open = isinstance(record, Malformed) and "never closed" in record.problem
            is_whole = data[record.end - 1 : record.end] == b"\n" or record.end < len(data)
            if is_open or not is_whole:
                break
            end = record.end
        return end

    def _refuse_endless(self, data: bytes, line: int) -> None:
        """Refuse a record that cannot end well, before the rest of the file is read into memory for it."""
        if self._is_csv and not self._grammar.lenient:
            first = next(records_of(data, self._grammar, line=line), None)
            if isinstance(first, Malformed) and "never closed" not in first.problem:
                raise first
        if len(data) > self._most:
            raise Malformed(
                line,
                f"the record is longer than {self._most >> 20} MiB",
                hint="look for a quote that is opened and never closed; or allow more by max_record_bytes",
                sqlstate="54000",
            )


def _line_end(data: bytes, at: int) -> int:
    """Return where the line that starts at *at* ends, behind its line end; 0 without one."""
    ends = [found for found in (data.find(b"\n", at), data.find(b"\r", at)) if found >= 0]
    return min(ends) + line_end_length(data, min(ends)) if ends else 0


def _without_footer(blocks: Iterator[Block], lines: int) -> Iterator[Block]:
    """Yield *blocks* without the last *lines*, which may begin in one and end in the next."""
    held: list[Block] = []
    for block in blocks:
        held.append(block)
        while sum(map(_lines_in, held[1:])) > lines:
            yield held.pop(0)
    if held:
        kept = b"".join(block.data for block in held).rstrip(b"\r\n").splitlines(keepends=True)[:-lines]
        yield Block(held[0].line, held[0].offset, b"".join(kept))


def _lines_in(block: Block) -> int:
    """Return how many lines *block* has, but for blank ones at its end."""
    text = block.data.rstrip(b"\r\n")
    return count_lines(text) + 1 if text else 0


def _without_blank_lines(block: Block) -> Block:
    """Return *block* without the blank lines at its end."""
    if block.data[-2:-1] not in {b"\n", b"\r"}:
        # As nearly always, and then nothing is copied.
        return block
    text = len(block.data.rstrip(b"\r\n"))
    if text:
        text += line_end_length(block.data, text)
    return Block(block.line, block.offset, block.data[:text])


@contextmanager
def open_source(where: Where, columns: Sequence[Column], options: Options) -> Iterator[Source]:
    """Open *where* for the block and read its header.

    Raises:
        FileError: missing, a directory, unreadable, empty, or without a header.
    """
    opened = open_input(where, options)
    try:
        yield Source(opened, columns, options)
    finally:
        opened.close()
