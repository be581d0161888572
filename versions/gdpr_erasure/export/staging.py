"""Write files that nobody sees before all of them are whole: a ZIP file, or a directory. No database here.

Until then they have no name where the system can do so: a process that is killed leaves nothing behind.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final, cast

from spotify_ai_agent_migrations.versions.core.errors import FileError

_DESCRIPTORS: Final = "/proc/self/fd"
_ONLY_OWNER: Final = 0o600
_CHUNK_BYTES: Final = 1 << 20
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
# What a file system says that has no files without a name; anything else concerns the folder.
_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.EISDIR})


@dataclass(frozen=True)
class Written:
    """A file of the export: its name within it, its size, its sum."""

    path: str
    bytes: int
    sha256: str


class Unseen:
    """A file being written that has no name yet, or one of its own beside *target* where it must have one."""

    def __init__(self, folder: Path) -> None:
        self._name: Path | None = None
        descriptor = _nameless(folder)
        if descriptor is None:
            self._name = folder / f".{secrets.token_hex(8)}.part"
            descriptor = os.open(self._name, os.O_RDWR | os.O_CREAT | os.O_EXCL, _ONLY_OWNER)
        self.file = cast("BinaryIO", os.fdopen(descriptor, "w+b"))
        os.fchmod(descriptor, _ONLY_OWNER)

    def place(self, target: Path) -> None:
        """Give it its name, on the disk first; an existing file is not replaced."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if self._name is not None:
            os.link(self._name, target)
            return
        # The call follows the link to the file only where it is told of a directory to begin at.
        folder = os.open(_DESCRIPTORS, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.link(str(self.file.fileno()), target, src_dir_fd=folder, follow_symlinks=True)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let go of it; what was not placed is gone."""
        with suppress(OSError):
            self.file.close()
        if self._name is not None:
            self._name.unlink(missing_ok=True)


def _nameless(folder: Path) -> int | None:
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None or not Path(_DESCRIPTORS).is_dir():
        return None
    try:
        return os.open(folder, os.O_RDWR | flag, _ONLY_OWNER)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise


class Package:
    """The files of one export, whole or not there: `add` each, then `publish` once."""

    def __init__(self, target: Path, stack: ExitStack, *, at: datetime) -> None:
        self._target = target
        self._folder = target.parent
        self._stack = stack
        self._at = at
        self._is_zip = target.suffix.lower() == ".zip"
        self._files: list[tuple[str, Unseen]] = []
        self._archive = self._begin_archive() if self._is_zip else None
        self.written: list[Written] = []

    def _begin_archive(self) -> tuple[Unseen, zipfile.ZipFile]:
        unseen = self.begin()
        archive = zipfile.ZipFile(unseen.file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        # Before its file is, or it would try to write its end into that.
        self._stack.callback(archive.close)
        return unseen, archive

    def begin(self) -> Unseen:
        """Return a file to write into; it is gone at the end of the export unless it is added."""
        unseen = Unseen(self._folder)
        self._stack.callback(unseen.close)
        return unseen

    def add(self, name: str, unseen: Unseen) -> Written:
        """Take a file that is written into the export, as *name*."""
        size, digest = _measured(unseen.file)
        if self._archive is None:
            self._files.append((name, unseen))
        else:
            self._copy(name, unseen.file, self._archive[1])
            unseen.close()
        written = Written(name, size, digest)
        self.written.append(written)
        return written

    def add_text(self, name: str, text: str) -> Written:
        """Take a text into the export, as *name*."""
        unseen = self.begin()
        unseen.file.write(text.encode())
        return self.add(name, unseen)

    def publish(self) -> Written:
        """Put the export in its place; return its size and sum, of the last file where it is a directory.

        Raises:
            FileError: something is there by now.
        """
        try:
            found = self._publish_file() if self._archive else self._publish_folder()
        except (FileExistsError, NotADirectoryError) as error:
            raise taken(self._target) from error
        except OSError as error:
            if self._target.exists():
                raise taken(self._target) from error
            raise
        _sync(self._folder)
        return found

    def _publish_file(self) -> Written:
        assert self._archive is not None
        unseen, archive = self._archive
        archive.close()
        size, digest = _measured(unseen.file)
        unseen.place(self._target)
        return Written(self._target.name, size, digest)

    def _publish_folder(self) -> Written:
        made = self._folder / f".{self._target.name}.{secrets.token_hex(8)}"
        made.mkdir(mode=0o700)
        try:
            for name, unseen in self._files:
                place = made / name
                place.parent.mkdir(mode=0o700, exist_ok=True)
                unseen.place(place)
            # It would take the place of an empty directory.
            refuse_taken(self._target)
            made.rename(self._target)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        return self.written[-1]

    def _copy(self, name: str, source: BinaryIO, archive: zipfile.ZipFile) -> None:
        moment = max(self._at.timetuple()[:6], _EARLIEST)
        about = zipfile.ZipInfo(name, moment)
        about.compress_type = zipfile.ZIP_DEFLATED
        about.external_attr = _ONLY_OWNER << 16
        source.seek(0)
        with archive.open(about, "w", force_zip64=True) as entry:
            shutil.copyfileobj(source, entry, _CHUNK_BYTES)


def refuse_taken(target: Path) -> None:
    """Raise where something is at *target*, a link to nothing included.

    Raises:
        FileError: there is.
    """
    if os.path.lexists(target):
        raise taken(target)


def taken(target: Path) -> FileError:
    """Return the error that says so: nobody's data is written over that of somebody else."""
    return FileError(f'"{target}" exists', hint="name another file or directory, or remove this one")


@contextmanager
def packaged(target: Path, *, at: datetime) -> Iterator[Package]:
    """Yield a package for *target*; what it does not publish is gone at the end of the block.

    Raises:
        FileError: something is there, its folder is not, or it cannot be written to.
    """
    refuse_taken(target)
    with ExitStack() as stack:
        try:
            yield Package(target, stack, at=at)
        except OSError as error:
            raise FileError(
                f'"{target}" cannot be written: {error.strerror or type(error).__name__}',
                hint="name a file or directory in a folder that exists, with room, and that you may write to",
            ) from error


def _measured(file: BinaryIO) -> tuple[int, str]:
    file.flush()
    file.seek(0)
    digest = hashlib.sha256()
    while part := file.read(_CHUNK_BYTES):
        digest.update(part)
    return file.tell(), digest.hexdigest()


def _sync(folder: Path) -> None:
    """Put the name itself on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
