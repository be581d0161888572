"""Give what a compressed file holds; fail where it ends in the middle, or something else follows."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO, Final, cast

from spotify_ai_agent_migrations.versions.core.errors import FileError

SAMPLE_BYTES: Final = 1 << 20
_XZ_MEMORY_MOST: Final = 128 << 20


def decompressed(raw: io.RawIOBase, compression: str) -> BinaryIO:
    """Return *raw* without its *compression*, one of gzip, bz2, xz, zstd and none."""
    file: Any = io.BufferedReader(raw, SAMPLE_BYTES)
    if compression == "gzip":
        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if compression == "bz2":
        return _buffered(_Streams(file, bz2.BZ2Decompressor))
    if compression == "xz":
        return _buffered(_Streams(file, lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_MOST)))
    return _zstd(file) if compression == "zstd" else cast(BinaryIO, file)


def _buffered(file: Any) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(file, SAMPLE_BYTES))


class _Streams(io.RawIOBase):
    """Compressed streams one behind the other; what follows them has to be one, or zeros that fill a block.

    The library's own readers pass over what is none, and over a limit of the memory that a dictionary takes.
    """

    def __init__(self, file: BinaryIO, decompressor: Callable[[], Any]) -> None:
        super().__init__()
        self._file = file
        self._new = decompressor
        self._stream: Any = decompressor()
        self._rest = self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            if self._stream.eof and not self._begin():
                return 0
            part = b""
            if self._stream.needs_input:
                part = self._rest or self._file.read(io.DEFAULT_BUFFER_SIZE)
                self._rest = b""
                if not part:
                    raise EOFError
            self._ready = self._stream.decompress(part, SAMPLE_BYTES)
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _begin(self) -> bool:
        """Begin with the next stream; tell whether there is one."""
        self._rest = self._stream.unused_data.lstrip(b"\0")
        while not self._rest:
            part = self._file.read(io.DEFAULT_BUFFER_SIZE)
            if not part:
                return False
            self._rest = part.lstrip(b"\0")
        self._stream = self._new()
        return True


def _zstd(file: BinaryIO) -> BinaryIO:
    try:
        zstandard = import_module("zstandard")
    except ImportError:
        raise FileError(
            "the file is compressed with zstd, and zstandard is not installed",
            hint="pip install 'spotify-ai-agent-migrations[zstd]'",
        ) from None
    return _buffered(_Zstd(file, zstandard.ZstdDecompressor(max_window_size=1 << 27)))


class _Zstd(io.RawIOBase):
    """A zstd stream that says when it ends in the middle of a frame; the library's reader does not."""

    def __init__(self, file: BinaryIO, decompressor: Any) -> None:
        super().__init__()
        self._file = file
        self._decompressor = decompressor
        self._frame: Any = None
        self._rest = self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            # A few bytes may stand for many: no more than these at a time.
            part = self._rest or self._file.read(1024)
            if not part:
                if self._frame is not None:
                    raise EOFError
                return 0
            self._frame = self._frame or self._decompressor.decompressobj()
            self._ready, self._rest = self._frame.decompress(part), b""
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
