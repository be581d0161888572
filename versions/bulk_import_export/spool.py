"""Hold what one stretch of a table says until its turn comes. No database here."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from tempfile import TemporaryFile
from typing import IO, Any, Final

_PART_BYTES: Final = 1 << 20


class Spool(io.RawIOBase):
    """Takes pieces and gives them back in order: up to `most_bytes` in memory, and from there on the disk."""

    # A buffer before it asks with every row, and the property of its class takes half as long as the row.
    closed = False

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self._held: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._bytes = 0

    def writable(self) -> bool:
        """Say yes, as a buffer before it asks."""
        return True

    def write(self, data: Any) -> int:
        """Take a piece of at least a few hundred KiB, or it is slow."""
        part = bytes(data)
        self._bytes += len(part)
        if self._file is None and self._bytes > self._most_bytes:
            self._file = TemporaryFile()  # noqa: SIM115  (`close` closes it)
        if self._file is None:
            self._held.append(part)
        else:
            self._file.write(part)
        return len(part)

    def parts(self) -> Iterator[bytes]:
        """Yield all of it, in pieces."""
        yield from self._held
        if self._file is not None:
            self._file.seek(0)
            while part := self._file.read(_PART_BYTES):
                yield part

    def close(self) -> None:
        """Let go of it all."""
        self._held.clear()
        if self._file is not None:
            self._file.close()
        super().close()


def buffered(spool: Spool) -> io.BufferedWriter:
    """Return what takes single rows for *spool*; flush and detach it behind the last one."""
    return io.BufferedWriter(spool, _PART_BYTES)


def close_untaken(waiting: Sequence[Future[tuple[Spool, int]]]) -> None:
    """Close what nobody took."""
    for future in waiting:
        if future.done() and not future.cancelled() and future.exception() is None:
            future.result()[0].close()
