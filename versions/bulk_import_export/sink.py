"""Compress what is exported and take its sum, into a file or to standard output. No database here."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

from spotify_ai_agent_migrations.versions.bulk_import_export.compression import SAMPLE_BYTES
from spotify_ai_agent_migrations.versions.bulk_import_export.opening import reason_of
from spotify_ai_agent_migrations.versions.bulk_import_export.remote import is_address
from spotify_ai_agent_migrations.versions.bulk_import_export.target import open_target
from spotify_ai_agent_migrations.versions.core.errors import FileError

_ENDINGS: Final = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
_GZIP_LEVEL: Final = 1


class _Place(Protocol):
    error: FileError | None

    def write(self, data: bytes) -> int: ...

    def seal(self) -> None: ...

    def settle(self) -> int: ...

    def finish(self) -> int: ...


class _StandardOutput:
    """Standard output in place of a file."""

    def __init__(self) -> None:
        self.error: FileError | None = None
        self._bytes = 0
        # None where it was closed before; a notebook's takes texts alone.
        if getattr(sys.stdout, "buffer", None) is None:
            raise FileError("standard output takes no bytes here", hint="name a file")
        sys.stdout.flush()

    def write(self, data: bytes) -> int:
        """Write *data* at once: what lay in a buffer when it failed, Python would try again at its end.

        Raises:
            FileError: the disk behind it is full, or worse; not that nobody reads any more.
        """
        file: Any = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        left = memoryview(data)
        try:
            while left:
                written = file.write(left)
                if written is None:
                    # A pipe that is full, and that nobody was to wait for.
                    select.select([], [file], [])
                left = left[written or 0 :]
        except BrokenPipeError:
            raise
        except OSError as error:
            self.error = FileError(
                f"standard output cannot be written: {reason_of(error)}",
                hint="make space where it goes, and run again",
            )
            raise self.error from error
        self._bytes += len(data)
        return len(data)

    def seal(self) -> None:
        """Keep nothing that could be let go of."""

    def settle(self) -> int:
        return self._bytes

    def finish(self) -> int:
        return self.settle()


class _Summed(io.RawIOBase):
    """Writes on, and takes the SHA-256 of it."""

    def __init__(self, place: _Place) -> None:
        super().__init__()
        self.sha256 = hashlib.sha256()
        self.place = place

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.sha256.update(data)
        self.place.write(data)
        return len(data)


class _Onward(io.RawIOBase):
    """Hands on, in large pieces, to what compresses or writes, and says how much."""

    # The buffer before it asks with every row, and the property of its class takes half as long as the row.
    closed = False

    def __init__(self, writer: Any, told: Callable[[int], None]) -> None:
        super().__init__()
        self._writer = writer
        self._told = told

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._writer.write(data)
        self._told(len(data))
        return len(data)


class Sink:
    """Takes the text of an export; `finish` puts the file in its place and returns its size.

    The driver calls `write` for every row, and so it is the buffer's own. `told` is told how many bytes have
    come, before they are compressed.
    """

    def __init__(self, place: _Place, compression: str) -> None:
        self._summed = _Summed(place)
        self._writer = _compressing(self._summed, compression) if compression != "none" else None
        self.told: Callable[[int], None] = lambda _: None
        below = _Onward(self._writer or self._summed, lambda size_bytes: self.told(size_bytes))
        self._buffer: io.BufferedWriter | None = io.BufferedWriter(below, SAMPLE_BYTES)
        self.write: Callable[[bytes], int] = self._buffer.write

    @property
    def error(self) -> FileError | None:
        """What kept the file from being written."""
        return self._summed.place.error

    @property
    def sha256(self) -> str:
        """The sum of the file, once it is finished."""
        return self._summed.sha256.hexdigest()

    def seal(self) -> None:
        """End what is written, and let go of the memory that writing takes."""
        if self._buffer is None:
            return
        self._buffer.flush()
        if self._writer is not None:
            self._writer.close()
        self._buffer = self._writer = None
        self.write = _written_already
        self._summed.place.seal()

    def settle(self) -> int:
        """Write what is left to the disk and return the size in bytes; no more can be written."""
        self.seal()
        return self._summed.place.settle()

    def finish(self) -> int:
        """Put the file in its place and return its size in bytes."""
        self.settle()
        return self._summed.place.finish()


def _written_already(_: bytes) -> int:
    raise AssertionError("a file is written to that was ended")


def compression_of(path: str) -> str:
    """Return the compression that the name of a file asks for."""
    return next((found for ending, found in _ENDINGS.items() if path.casefold().endswith(ending)), "none")


@contextmanager
def open_sink(path: str, compression: str) -> Iterator[Sink]:
    """Open a file that nobody sees until it is finished, or standard output.

    Raises:
        FileError: the folder is missing or may not be written, or *path* is no regular file.
    """
    if path == "-":
        yield Sink(_StandardOutput(), compression)
        return
    with open_target(Path(path)) as target:
        yield Sink(target, compression)


def _compressing(file: Any, compression: str) -> Any:
    if compression == "gzip":
        # No time in it: the same rows give the same file.
        return gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0, filename="")
    if compression == "bz2":
        return bz2.BZ2File(file, "wb")
    if compression == "xz":
        return lzma.LZMAFile(file, "wb", preset=1)
    return _zstd(file)


def _zstd(file: Any) -> Any:
    try:
        zstandard = import_module("zstandard")
    except ImportError:
        raise FileError(
            "zstandard, which compresses with zstd, is not installed",
            hint="pip install 'spotify-ai-agent-migrations[zstd]'",
        ) from None
    return zstandard.ZstdCompressor(level=3).stream_writer(file, closefd=False)


def manifest_path(path: str | os.PathLike[str], manifest: str | os.PathLike[str] | None = None) -> Path:
    """Return where the manifest of the file *path* lies, unless it is said to be *manifest*."""
    return Path(f"{os.fspath(path)}.manifest.json" if manifest is None else os.fspath(manifest))


def write_manifest(path: str, about: dict[str, Any]) -> None:
    """Write beside *path* what is in it, whole or not at all."""
    with open_target(manifest_path(path)) as target:
        target.write((json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode())
        target.finish()


def verify(path: str, manifest: str | os.PathLike[str] | None) -> int:
    """Compare the file *path* with its manifest; return how many rows it has to hold.

    Raises:
        FileError: there is no manifest, or the file is not the one that it was written for.
    """
    if is_address(path) or is_address(os.fspath(manifest or "")):
        raise FileError("a URL cannot be verified", hint="fetch the file and its manifest first")
    place = manifest_path(path, manifest)
    try:
        said = json.loads(place.read_text(encoding="utf-8"))
        rows, expected = int(said["rows"]), str(said["sha256"])
        with Path(path).open("rb") as file:
            found = hashlib.sha256()
            while part := file.read(SAMPLE_BYTES):
                found.update(part)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(
            f'"{path}" cannot be verified: "{place}" is no manifest of it', hint="export it with a manifest"
        ) from error
    if found.hexdigest() != expected:
        raise FileError(
            f'"{path}" is not the file that "{place}" was written for',
            hint="transfer it again; nothing was loaded",
        )
    return rows
