"""Write a file beside its place and put it there when it is whole. No database here."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from spotify_ai_agent_migrations.versions.core.errors import FileError

# The driver writes a row at a time.
_BUFFER_BYTES: Final = 1 << 20


class Target:
    """A file being written; nobody sees it at `path` before `finish`.

    The driver may wrap what `write` raises, so the error is kept in `error`.
    """

    def __init__(self, path: Path, file: BinaryIO, *, made: Path, place: Path) -> None:
        self.path = path
        self.error: FileError | None = None
        self._file = file
        self._made = made
        self._place = place

    def write(self, data: bytes) -> int:
        """Write *data*; the driver calls this for every row.

        Raises:
            FileError: the disk is full, or worse.
        """
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = _unwritable(self.path, error)
            raise self.error from error

    def finish(self) -> int:
        """Put the file in its place, safe on the disk, and return its size in bytes."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            size_bytes = os.fstat(self._file.fileno()).st_size
            self._made.replace(self._place)
            _sync_folder(self._place.parent)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return size_bytes


@contextmanager
def open_target(path: Path) -> Iterator[Target]:
    """Open a new file in the folder of *path* for the block; without `finish`, nothing is left of it.

    Only its owner may read it: a table may hold personal data.

    Raises:
        FileError: the folder is missing or may not be written, or *path* is no regular file.
    """
    try:
        # A link stays a link: the file behind it is replaced.
        place = path.resolve()
        if place.exists() and not place.is_file():
            raise FileError(f'"{path}" is not a regular file', hint="name a file to write or to replace")
        number, name = tempfile.mkstemp(prefix=".export-", suffix=".csv.part", dir=place.parent)
    except (OSError, RuntimeError) as error:
        raise _unwritable(path, error) from error
    file = os.fdopen(number, "wb", buffering=_BUFFER_BYTES)
    try:
        yield Target(path, file, made=Path(name), place=place)
    finally:
        # What did not fit on the disk once does not fit at the end either.
        with suppress(OSError):
            file.close()
        Path(name).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself safe on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _unwritable(path: Path, error: Exception) -> FileError:
    reason = (error.strerror if isinstance(error, OSError) else None) or "no reason given"
    return FileError(
        f'"{path}" cannot be written: {reason.lower()}',
        hint="mend the path, the permissions or the space on the disk",
    )
