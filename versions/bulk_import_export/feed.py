"""Feed the server: a file object that gives COPY text as it reads a CSV file. No database here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from spotify_ai_agent_migrations.versions.bulk_import_export.copy_text import to_copy_text, watch
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import quoted
from spotify_ai_agent_migrations.versions.bulk_import_export.records import Malformed
from spotify_ai_agent_migrations.versions.bulk_import_export.source import Block, Source
from spotify_ai_agent_migrations.versions.core.errors import FileError, MigrationError, RowError


class Feed:
    """What COPY reads from; memory holds a block or two of the file at a time.

    The driver makes a cancelled query of whatever `read` raises, so the error is kept in `error`.
    """

    def __init__(self, source: Source, *, watched: Sequence[int] = ()) -> None:
        self.records = 0
        self.greatest: dict[int, int] = {}
        self.error: BaseException | None = None
        self._source = source
        self._watched = watched
        self._texts = self._convert()
        self._text = memoryview(b"")

    def read(self, size: int) -> bytes:
        """Return at most *size* bytes, and none at the end."""
        try:
            if not self._text:
                self._text = memoryview(next(self._texts, b""))
        except BaseException as error:
            self.error = error
            raise
        part, self._text = self._text[:size], self._text[size:]
        return bytes(part)

    def _convert(self) -> Iterator[bytes]:
        source = self._source
        try:
            for block in source.blocks():
                yield self._text_of(block)
        except Malformed as fault:
            raise row_error(fault, source) from None
        except OSError as error:
            raise _unreadable(source, error) from error

    def _text_of(self, block: Block) -> bytes:
        text = to_copy_text(block.data, line=block.line, fields=len(self._source.header))
        # Line ends inside a field are escaped, so that each one left ends a record.
        records = text.count(b"\n")
        self._source.mark(block, records)
        self.records += records
        watch(text, self._watched, self.greatest)
        return text


def row_error(fault: Malformed, source: Source) -> RowError:
    """Return the error for a record that is no CSV, by line and by the name of the column."""
    header = source.header
    named = fault.field is not None and fault.field < len(header)
    column = header[fault.field] if named and fault.field is not None else None
    place = f'"{source.path}" line {fault.line}' + (f", column {quoted(column)}" if column else "")
    return RowError(
        f"{place}: {fault.problem}", hint=fault.hint, path=str(source.path), line=fault.line, column=column
    )


def _unreadable(source: Source, error: OSError) -> MigrationError:
    return FileError(
        f'"{source.path}" cannot be read any further: {(error.strerror or "no reason given").lower()}',
        hint="nothing was loaded; mend the file and run again",
    )
