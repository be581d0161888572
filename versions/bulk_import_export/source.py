"""Read a text in blocks that end where a record ends, and find its records again. No database here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.binary import (
    binary_records,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import check_text, refuse_blank_line
from spotify_ai_agent_migrations.versions.bulk_import_export.cutting import (
    BOM,
    WITH_BOM,
    Block,
    cut,
    cut_binary,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.dialect import folded, sniff, wears_apostrophes
from spotify_ai_agent_migrations.versions.bulk_import_export.jsonlines import (
    copy_records,
    json_records,
    names_of_objects,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import Opened
from spotify_ai_agent_migrations.versions.bulk_import_export.options import COPY_TEXT, Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import Column
from spotify_ai_agent_migrations.versions.bulk_import_export.records import (
    Malformed,
    Record,
    count_lines,
    line_end_length,
    records_of,
)
from spotify_ai_agent_migrations.versions.core.errors import FileError

_BLANK_MOST_BYTES: Final = 32 << 20


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
        sample = opened.sample.removeprefix(BOM)
        found = sniff(sample, columns, options, name=self.name, form=opened.form)
        sample = sample if found.format in WITH_BOM else opened.sample
        self.dialect = replace(found, encoding=opened.encoding, compression=opened.compression)
        self.grammar = self.dialect.grammar
        self._sample = sample
        self.wears_apostrophes = options.quote is None and wears_apostrophes(sample, found)
        self._raw = (
            cut_binary(opened, len(fillable_of(columns)), options)
            if self.dialect.format == "binary"
            else cut(opened, self.dialect, options)
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
        for raw in chain(self._behind_header(), self._raw):
            block = raw if self.blank_is_null else _without_blank_lines(raw)
            if block.data and blank is not None:
                refuse_blank_line(blank.line if strict else None)
                block = Block(blank.line, blank.offset, blank.data + block.data)
                blank = None
            if block.data:
                yield block
            if len(block.data) < len(raw.data):
                blank = _joined(blank, _rest_of(raw, block))
            # A long one would be held while the next is read.
            del raw, block

    def _behind_header(self) -> Iterator[Block]:
        """Yield what lies behind the header in the first block, and keep it no longer."""
        rest, self._rest = self._rest, Block(1, 0, b"")
        yield rest

    def records(self, block: Block) -> Iterator[Record | Malformed]:
        """Yield the records of *block*, and in place of one that is malformed what is wrong."""
        if self.dialect.format == "jsonl":
            return json_records(block.data, self.header, line=block.line, verbatim=self._verbatim)
        if self.dialect.format == "binary":
            return binary_records(block.data, number=block.line)
        if self.dialect.format in COPY_TEXT:
            return copy_records(block.data, line=block.line)
        return records_of(block.data, self.grammar, line=block.line)

    def is_nothing(self, record: Record | Malformed) -> bool:
        """Tell whether *record* is a blank line that is passed over."""
        return (
            self._options.lenient
            and isinstance(record, Record)
            and record.fields == (None,)
            and len(self.header) > 1
        )

    def hint_of(self, fault: Malformed) -> str:
        """Return what to do about a record that is none."""
        candidates = self.opened.candidates
        if not candidates or "UTF-8" not in fault.problem:
            return fault.hint
        return f"name the encoding, encoding=…, --encoding: it may be {' or '.join(candidates)}"

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
                    number += not self.is_nothing(record)
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
                return self._names_of_objects(first), first
            if not self.dialect.header:
                return tuple(column.name for column in fillable_of(self._columns)), first
            return self._names(first)
        except Malformed as fault:
            raise FileError(
                f'"{self.name}" line {fault.line}: {fault.problem}', hint=self.hint_of(fault)
            ) from None

    def _names_of_objects(self, first: Block) -> tuple[str, ...]:
        """Return the names in the first objects, and those of documents that they may all lack.

        A document that is NULL has no member. Who updates rows leaves alone what the file does not name.
        """
        # The first line may be longer than what is looked at.
        names, options = names_of_objects(max(self._sample, first.data, key=len)), self._options
        if options.mode in {"upsert", "merge"}:
            return names
        said = {*map(folded, (*names, *filter(None, options.columns.values()), *options.constants))}
        lacked = _documents(column for column in self._columns if column.may_lack)
        return (*names, *(name for name in lacked if folded(name) not in said))

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
    kept = {folded(name) for name in _documents(columns)}
    return frozenset(name for name in header if folded(targets.get(folded(name)) or name) in kept)


def _documents(columns: Iterable[Column]) -> list[str]:
    return [column.name for column in columns if column.type in {"json", "jsonb"}]


def fillable_of(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns of a file that names none: all that can be filled, in the order of the table."""
    return tuple(column for column in columns if not column.generated)


def _without_blank_lines(block: Block) -> Block:
    """Return *block* without the blank lines at its end."""
    if block.data[-2:-1] not in {b"\n", b"\r"}:
        # As nearly always, and then nothing is copied.
        return block
    text = len(block.data.rstrip(b"\r\n"))
    if text:
        text += line_end_length(block.data, text)
    return Block(block.line, block.offset, block.data[:text])
