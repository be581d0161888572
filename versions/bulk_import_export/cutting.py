"""Cut a stream into blocks of whole records. No database here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.bulk_import_export.binary import HEADER, Walk, skip_header
from spotify_ai_agent_migrations.versions.bulk_import_export.dialect import Dialect
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import Opened
from spotify_ai_agent_migrations.versions.bulk_import_export.options import Options
from spotify_ai_agent_migrations.versions.bulk_import_export.records import (
    Malformed,
    count_lines,
    end_of_records,
    line_end_length,
    parse,
    records_of,
)
from spotify_ai_agent_migrations.versions.bulk_import_export.shape import regular_records, single_lines

# Small, and handed out in order: the heap keeps the order of the file, and an error is soon met.
BLOCK_BYTES: Final = 2 << 20
# Of more than this there are no copies to spare: a long record is read by itself, and by the exact way.
LARGE_BYTES: Final = 4 << 20
_TRIES: Final = 3
# What is left over of one block is copied into the next, if it is no more.
_REST_MOST_BYTES: Final = 256 << 10
BOM: Final = b"\xef\xbb\xbf"
# In others a value may stand first, and begin with the same bytes.
WITH_BOM: Final = ("csv", "tsv", "jsonl")


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


def cut(opened: Opened, dialect: Dialect, options: Options) -> Iterator[Block]:
    """Cut a text into blocks of whole records; only the last one may lack its line end, and is given it."""
    blocks = _Cut(opened, dialect, options).blocks()
    return _without_footer(blocks, options.footer_lines) if options.footer_lines else blocks


def cut_binary(opened: Opened, fields: int, options: Options) -> Iterator[Block]:
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
        # Filled again and again: new memory for each block takes longer than reading it.
        self._buffer = bytearray(BLOCK_BYTES + _REST_MOST_BYTES if self._tries else 0)
        self._data, self._line, self._offset = b"", 1, 0

    def blocks(self) -> Iterator[Block]:
        data = self._opened.read(BLOCK_BYTES // 2)
        self._offset = len(BOM) if data.startswith(BOM) and self._dialect.format in WITH_BOM else 0
        self._line, skipped, self._data = self._skip(data[self._offset :])
        self._offset += skipped
        del data
        while True:
            if end := self._end(self._data):
                block = Block(self._line, self._offset, self._data[:end])
                self._data = self._data[end:]
                yield self._passed(block)
                # A long one would be held while the next is read.
                del block
                if len(self._data) >= BLOCK_BYTES:
                    # What was read with a long record.
                    continue
            else:
                self._refuse_endless(self._data, self._line)
            yield from self._of_single_lines()
            if len(self._data) >= BLOCK_BYTES and end:
                continue
            # By a share of what is left over, so that a record of many blocks is not searched once for each.
            more = self._opened.read(max(BLOCK_BYTES, len(self._data) // 4))
            if not more:
                break
            self._data += more
        if data := self._data:
            self._data = b""
            yield from self._last(data if data.endswith(b"\r") else data + b"\n", self._line, self._offset)

    def _passed(self, block: Block) -> Block:
        """Go on behind *block*, which is given away."""
        self._line += block.lines or count_lines(block.data)
        self._offset += len(block.data)
        return block

    def _of_single_lines(self) -> Iterator[Block]:
        """Yield blocks as long as each of their lines is a record; they are copied once.

        What is read of another one is kept for those that read it exactly.
        """
        buffer = memoryview(self._buffer)
        while self._tries and (rest := len(self._data)) <= _REST_MOST_BYTES:
            buffer[:rest] = self._data
            size = rest + self._opened.fill(buffer[rest : rest + BLOCK_BYTES])
            end = self._buffer.rfind(b"\n", 0, size) + 1
            block = bytes(buffer[:end])
            is_new = size > rest and end > 0
            lines = single_lines(block, self._grammar.delimiter, self._grammar.quote) if is_new else None
            if lines is None:
                self._data = bytes(buffer[:size])
                self._tries -= 1
                return
            self._tries = _TRIES
            self._data = bytes(buffer[end:size])
            yield self._passed(Block(self._line, self._offset, block, lines=lines))
            del block

    def _last(self, data: bytes, line: int, offset: int) -> Iterator[Block]:
        """Yield what is left at the end: in pieces, where a quote that is never closed left much."""
        begin = 0
        if self._is_csv and self._keeps and len(data) > LARGE_BYTES:
            for record in records_of(data, self._grammar):
                if record.end - begin >= BLOCK_BYTES:
                    yield Block(line, offset + begin, data[begin : record.end])
                    line += count_lines(data, begin, record.end)
                    begin = record.end
        if begin < len(data):
            yield Block(line, offset + begin, data[begin:])

    def _skip(self, data: bytes) -> tuple[int, int, bytes]:
        """Leave out the lines before the header: return the line, the bytes left out, and the rest."""
        at = 0
        for _ in range(self._dialect.skip_lines):
            found = next((end for end in (_line_end(data, at),) if end), len(data))
            at = found
        return self._dialect.skip_lines + 1, at, data[at:]

    def _end(self, data: bytes) -> int:
        if len(data) <= LARGE_BYTES:
            return self._end_of(data)
        return self._end_of(data[:BLOCK_BYTES]) or self._end_of_first(data)

    def _end_of_first(self, data: bytes) -> int:
        """Return where the first record ends, or the line that is none; 0 if it does not."""
        if not self._is_csv:
            return data.find(b"\n") + 1
        try:
            first = next(parse(data, self._grammar, final=False), None)
        except Malformed:
            end = _line_end(data, 0)
        else:
            end = first.end if first is not None else 0
        # A CR at the very end may be half of a CRLF.
        return end if end < len(data) or data.endswith(b"\n") else 0

    def _end_of(self, data: bytes) -> int:
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
        if self._is_csv and not self._grammar.lenient and not self._keeps:
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
