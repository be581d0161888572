"""Write a file beside its place and put it there when it is whole. No database here."""

from __future__ import annotations

import errno
import io
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from spotify_ai_agent_migrations.versions.bulk_import_export.opening import reason_of
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.core.errors import FileError

# The driver writes a row at a time.
_BUFFER_BYTES: Final = 1 << 20
# To the disk as it goes, or all of it is waited for at the end.
_PUSHED_BYTES: Final = 8 << 20
_PREFIX: Final = ".export-"
_SUFFIX: Final = ".csv.part"


class Target:
    """A file being written; nobody sees it at `path` before `finish`.

    The driver may wrap what `write` raises, so the error is kept in `error`.
    """

    def __init__(self, path: Path, file: BinaryIO, *, made: Path | None, place: Path) -> None:
        self.path = path
        self.error: FileError | None = None
        self._file = self._open = file
        self._made = made
        self._place = place
        self._written = self._pushed = 0

    def write(self, data: bytes) -> int:
        """Write *data*; the driver calls this for every row.

        Raises:
            FileError: the disk is full, or worse.
        """
        try:
            self._file.write(data)
            self._written += len(data)
            if self._written - self._pushed >= _PUSHED_BYTES:
                self._push()
        except OSError as error:
            self.error = _unwritable(self.path, error)
            raise self.error from error
        return len(data)

    def close(self) -> None:
        """Close the file, whatever became of it."""
        # What did not fit on the disk once does not fit at the end either.
        with suppress(OSError):
            self._open.close()

    def _push(self) -> None:
        """Let the system begin to write what it was given; it keeps in memory what is not yet written."""
        self._file.flush()
        if hasattr(os, "posix_fadvise"):
            length = self._written - self._pushed
            # Advice that a file system does not take is no harm.
            with suppress(OSError):
                os.posix_fadvise(self._file.fileno(), self._pushed, length, os.POSIX_FADV_DONTNEED)
        self._pushed = self._written

    def seal(self) -> None:
        """Write out what is held back, and hold nothing back any more.

        Raises:
            FileError: the disk is full, or worse.
        """
        try:
            self._file = self._open = cast(BinaryIO, _raw(self._file))
        except OSError as error:
            self.error = _unwritable(self.path, error)
            raise self.error from error

    def settle(self) -> int:
        """Make the file safe on the disk, and return its size in bytes."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def finish(self) -> int:
        """Put the file in its place, safe on the disk, and return its size in bytes."""
        size_bytes = self.settle()
        try:
            _keep_owner(self._file.fileno(), self._place)
            made = self._made or _named(self._file.fileno(), self._place.parent)
            _replace(made, self._place)
            _sync_folder(self._place.parent)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return size_bytes


@contextmanager
def open_target(path: Path) -> Iterator[Target]:
    """Open a new file in the folder of *path* for the block; without `finish`, nothing is left of it.

    Only its owner may read it: a table may hold personal data. Where the file system can (Linux), it has no
    name until `finish`, and so nothing is left of it by a process that is killed either; elsewhere such a
    process leaves a `.export-….csv.part` behind.

    Raises:
        FileError: the folder is missing or may not be written, or *path* is no regular file.
    """
    try:
        place = _place(path)
        number, made = _unnamed(place.parent) or _made(place.parent)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    target = Target(path, os.fdopen(number, "wb", buffering=_BUFFER_BYTES), made=made, place=place)
    try:
        yield target
    finally:
        target.close()
        if made is not None:
            made.unlink(missing_ok=True)


def _raw(file: Any) -> Any:
    """Return *file* without its buffer, and with all of it written."""
    return file.detach() if isinstance(file, io.BufferedWriter) else file


def _place(path: Path) -> Path:
    """Return where the file goes: a link stays a link, and the file behind it is replaced."""
    try:
        place = path.resolve()
    except RuntimeError:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    if place.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if place.exists() and not place.is_file():
        raise FileError(f'"{path}" is not a regular file', hint="name a file to write or to replace")
    return place


def _unnamed(folder: Path) -> tuple[int, None] | None:
    """Open a file without a name in *folder*; None where it could not be given one later."""
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, flag | os.O_WRONLY | os.O_CLOEXEC, 0o600), None
    except OSError:
        # A file system without such files; what else is wrong, the other way will say.
        return None


def _made(folder: Path) -> tuple[int, Path]:
    number, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder)
    return number, Path(name)


def _named(number: int, folder: Path) -> Path:
    """Give the open file *number* a name in *folder*, whole as it is by now."""
    made = folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
    # Only with a folder given does Python follow the link to the file; the path is whole without it.
    os.link(f"/proc/self/fd/{number}", made, src_dir_fd=number, follow_symlinks=True)
    return made


def _replace(made: Path, place: Path) -> None:
    try:
        made.replace(place)
    except BaseException:
        made.unlink(missing_ok=True)
        raise


def _keep_owner(number: int, place: Path) -> None:
    """Give the file to the owner and group of the one that it replaces, which only root can."""
    if place.exists() and os.geteuid() == 0:
        before = place.stat()
        os.fchown(number, before.st_uid, before.st_gid)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself safe on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _unwritable(path: Path, error: Exception) -> FileError:
    return FileError(
        f'"{shown(str(path))}" cannot be written: {reason_of(error)}',
        hint="mend the path, the permissions or the space on the disk",
    )
