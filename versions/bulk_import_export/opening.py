"""Open what is to be imported: where it is, how it is compressed, in which encoding. No database here."""

from __future__ import annotations

import codecs
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

from spotify_ai_agent_migrations.versions.bulk_import_export.arrow_in import open_columnar
from spotify_ai_agent_migrations.versions.bulk_import_export.binary import MAGIC
from spotify_ai_agent_migrations.versions.bulk_import_export.compression import SAMPLE_BYTES, decompressed
from spotify_ai_agent_migrations.versions.bulk_import_export.encoding import Detected, detect, transcoding
from spotify_ai_agent_migrations.versions.bulk_import_export.options import MARKED, Options
from spotify_ai_agent_migrations.versions.bulk_import_export.plan import shown
from spotify_ai_agent_migrations.versions.bulk_import_export.remote import (
    is_address,
    open_remote,
    without_secrets,
)
from spotify_ai_agent_migrations.versions.core.errors import FileError

Where = str | os.PathLike[str] | BinaryIO | IO[bytes] | io.StringIO

_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\0": "xz"}
# The mark of a block, or of an end at once, behind the size.
_BZ2: Final = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_REFUSED: Final = {
    b"PK\x03\x04": ("a zip archive, as an .xlsx is", "decompress or export it to CSV first"),
    b"%PDF": ("a PDF", "export the table in it to CSV first"),
    b"SQLite format 3\0": ("a SQLite database", "export the table in it to CSV first"),
}
_MARKED: Final = {
    b"PAR1": "parquet", b"ARROW1\0\0": "arrow", b"\xff\xff\xff\xff": "arrow", MAGIC: "binary",
}  # fmt: skip
_CONTROL: Final = {*range(32)} - {*b"\t\n\r\f"}
# Real text is far below; a bomb is far above, and would fill the table for hours.
_EXPANSION_MOST: Final = 400
_EXPANSION_FROM: Final = 256 << 20


@dataclass
class Opened:
    """A stream of bytes, decompressed and in UTF-8 where it is text; `sample` is how it begins.

    `open_again` gives the same once more, and is None for what can be read but once. `form` is a format that
    says of itself what it is; `fields` are the names of its columns, and `lists` those that hold lists.
    `guessed` says that nothing tells the encoding for sure; `candidates` is what it may be, if not UTF-8.
    """

    name: str
    raw: Counting
    stream: BinaryIO
    sample: bytes
    compression: str
    encoding: str
    size: int | None = None
    open_again: Callable[[], Opened] | None = None
    state: Callable[[], object] = field(default=lambda: None)
    closing: bool = True
    form: str | None = None
    fields: tuple[str, ...] = ()
    lists: frozenset[str] = frozenset()
    left: str = "nothing was loaded"
    guessed: bool = False
    candidates: tuple[str, ...] = ()

    def read(self, size_bytes: int) -> bytes:
        """Read *size_bytes*, or what is left: a pipe gives less at a time.

        Raises:
            FileError: it ends in the middle, cannot be decompressed, or expands beyond reason.
        """
        parts, wanted = [], size_bytes
        if self.sample:
            parts, self.sample = [self.sample[:wanted]], self.sample[wanted:]
            wanted -= len(parts[0])
        try:
            while wanted > 0 and (part := self.stream.read(wanted)):
                parts.append(part)
                wanted -= len(part)
        except _UNREADABLE as error:
            raise unreadable(self.name, error, self.compression, self.left) from error
        self.raw.given += size_bytes - wanted
        _refuse_bomb(self)
        return b"".join(parts)

    def fill(self, buffer: memoryview) -> int:
        """Read into *buffer* until it is full or nothing is left; return how many bytes.

        Raises:
            FileError: as `read`.
        """
        size_bytes = len(buffer)
        head, self.sample = self.sample[:size_bytes], self.sample[size_bytes:]
        filled = len(head)
        buffer[:filled] = head
        try:
            while filled < size_bytes and (part := self.stream.readinto(buffer[filled:])):  # type: ignore[attr-defined]
                filled += part
        except _UNREADABLE as error:
            raise unreadable(self.name, error, self.compression, self.left) from error
        self.raw.given += filled
        _refuse_bomb(self)
        return filled

    def close(self) -> None:
        """Close it, unless the caller gave it open."""
        if self.closing:
            with suppress(Exception):
                self.stream.close()
            self.raw.close_file()


class Counting(io.RawIOBase):
    """A file as it lies on the disk, counting what was taken from it."""

    def __init__(self, file: BinaryIO, head: bytes = b"") -> None:
        super().__init__()
        self.taken = 0
        self.given = 0
        self._file = file
        self._head = head

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* with what follows."""
        if not self._head and isinstance(self._file, io.FileIO):
            size = self._file.readinto(buffer) or 0
            self.taken += size
            return size
        part = self._head[: len(buffer)] or self._file.read(len(buffer)) or b""
        self._head = self._head[len(part) :]
        buffer[: len(part)] = part
        self.taken += len(part)
        return len(part)

    def close_file(self) -> None:
        """Close the file below."""
        with suppress(OSError):
            self._file.close()


def open_input(where: Where, options: Options) -> Opened:
    """Open *where*: a path, "-" for standard input, a URL, or a file that is open already.

    Raises:
        FileError: missing, a directory, unreadable, or neither text nor a format that is known.
    """
    if isinstance(where, io.StringIO):
        # It is text already, in no encoding.
        where, options = (
            io.BytesIO(where.read().encode("utf-8", "surrogatepass")),
            replace(options, encoding="utf-8"),
        )
    if hasattr(where, "read"):
        name = without_secrets(str(getattr(where, "name", "the file object")))
        return _opened(cast(BinaryIO, where), name, options, closing=False)
    if not isinstance(where, str | os.PathLike):
        raise FileError(
            f"a file cannot be of type {type(where).__name__}",
            hint='give a path, a URL, "-", or a file that is open for reading',
        )
    text = os.fsdecode(where)
    if text == "-":
        if getattr(sys.stdin, "buffer", None) is None:
            raise FileError("standard input gives no bytes here", hint="name a file")
        return _opened(sys.stdin.buffer, "standard input", options, closing=False)
    if is_address(text):
        return _opened(open_remote(text), without_secrets(text), options)
    return _local(Path(text), options)


def _local(path: Path, options: Options) -> Opened:
    try:
        file = path.open("rb", buffering=0)
    except (OSError, ValueError) as error:
        raise FileError(
            f'"{shown(str(path))}" cannot be read: {reason_of(error)}',
            hint="mend the path or the permissions of the file",
        ) from error
    found = os.fstat(file.fileno())
    opened = _opened(cast(BinaryIO, file), str(path), options)
    if file.seekable():
        opened.size = found.st_size
        opened.state = lambda: _state(path)
        opened.open_again = lambda: _local(path, options)
    return opened


def _state(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _opened(file: BinaryIO, name: str, options: Options, *, closing: bool = True) -> Opened:
    compression: str = options.compression or "none"
    with ExitStack() as stack:
        if closing:
            stack.callback(file.close)
        try:
            head = _take(file, 16)
            compression = options.compression or _found(head)
            _refuse_other_formats(head, name)
            if (form := _marked(head, options)) in {"parquet", "arrow"}:
                columnar = _columnar(file, name, str(form), options.left, closing=closing)
                stack.pop_all()
                return columnar
            raw = Counting(file, head)
            stream = decompressed(raw, compression)
            sample = _take(stream, SAMPLE_BYTES)
            form = _refuse_another(_marked(sample[:16], options), name, options)
            said = form or options.encoding
            found = Detected(said) if said else detect(sample)
            opened = Opened(
                name,
                raw,
                stream,
                sample,
                compression,
                found.encoding,
                closing=closing,
                form=form,
                left=options.left,
                guessed=found.is_guess,
                candidates=found.candidates,
            )
            opened = opened if form else _in_utf8(opened)
        except _UNREADABLE as error:
            raise unreadable(name, error, compression, options.left) from error
        stack.pop_all()
    return opened


def _marked(head: bytes, options: Options) -> str | None:
    """Return the format that *head* is the beginning of, unless another is declared."""
    if options.format is not None and options.format not in MARKED:
        return None
    form = next((form for mark, form in _MARKED.items() if head.startswith(mark)), None)
    # Behind the mark of Parquet is no text, whatever it is.
    return None if form == "parquet" and not _CONTROL & set(head) else form


def _refuse_another(form: str | None, name: str, options: Options) -> str | None:
    """Return *form*, which the content says, unless it is not what was asked for.

    Raises:
        FileError: it is not, or is compressed where it has to be read in leaps.
    """
    if form in {"parquet", "arrow"}:
        raise FileError(
            f'"{name}" is {form} that was compressed as a whole',
            hint="decompress it first: it has its own compression",
        )
    if options.format in MARKED and options.format != form:
        raise FileError(f'"{name}" is not {options.format}', hint="leave the format out, and it is found")
    return form


def _columnar(file: BinaryIO, name: str, form: str, left: str, *, closing: bool) -> Opened:
    """Open Parquet or Arrow, which is read in leaps and given as COPY text."""
    if not file.seekable():
        raise FileError(
            f'"{name}" is {form} and comes from a pipe, where nobody can leap', hint="give it as a file"
        )
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    raw = Counting(file)

    def taken(share: float) -> None:
        raw.taken = int(size * share)

    found = open_columnar(file, name, form, taken, left=left)
    return Opened(
        name, raw, found.text, _take(found.text, SAMPLE_BYTES), "none", "utf-8", size, closing=closing,
        form=form, fields=found.names, lists=found.lists, left=left,
    )  # fmt: skip


def _refuse_other_formats(head: bytes, name: str) -> None:
    for magic, (what, hint) in _REFUSED.items():
        if head.startswith(magic):
            raise FileError(f'"{name}" is {what}, and CSV is expected', hint=hint)


def _in_utf8(opened: Opened) -> Opened:
    """Let *opened* give UTF-8, whatever it is in; bytes that mean nothing there stay invalid."""
    name = _text_encoding(opened.encoding)
    opened.encoding = name
    if name == "utf-8":
        return opened
    opened.stream = cast(BinaryIO, transcoding(opened.stream, opened.sample, name))
    opened.sample = _take(opened.stream, SAMPLE_BYTES)
    return opened


def _text_encoding(spoken: str) -> str:
    try:
        found = codecs.lookup(spoken)
    except (LookupError, ValueError):
        found = None
    if found is None or not found._is_text_encoding:
        raise FileError(
            f'there is no encoding "{shown(spoken)}"', hint="say for example utf-8 or windows-1252"
        )
    return found.name


def _take(file: BinaryIO, size_bytes: int) -> bytes:
    parts: list[bytes] = []
    while size_bytes > 0 and (part := file.read(size_bytes)):
        if not isinstance(part, bytes):
            raise FileError("the file object gives text", hint='open it with mode "rb", or give its .buffer')
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)


def _found(head: bytes) -> str:
    found = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "none")
    return "bz2" if _BZ2.match(head) else found


def _refuse_bomb(opened: Opened) -> None:
    raw = opened.raw
    if opened.compression != "none" and raw.given > max(_EXPANSION_FROM, raw.taken * _EXPANSION_MOST):
        raise FileError(
            f'"{opened.name}" expands to more than {_EXPANSION_MOST} times its size',
            hint=f"decompress it yourself if it is meant to; {opened.left}",
        )


def unreadable(name: str, error: Exception, compression: str, left: str) -> FileError:
    """Return the error for a file that cannot be read any further."""
    if isinstance(error, OSError) and error.errno is not None:
        reason = reason_of(error)
    elif isinstance(error, EOFError) or "truncated" in str(error):
        reason = f"it ends in the middle of what {compression} compressed"
    elif compression != "none":
        reason = f"it is no valid {compression}"
    else:
        reason = "no reason given"
    return FileError(
        f'"{shown(name)}" cannot be read any further: {reason}',
        hint=f"{left}; mend the file and run again",
    )


def reason_of(error: Exception) -> str:
    """Return why a file cannot be opened, in the words of the system."""
    if isinstance(error, ValueError):
        return "its name holds a NUL byte" if "null" in str(error) else "its name cannot be encoded"
    return ((error.strerror if isinstance(error, OSError) else None) or "no reason given").lower()


def _errors() -> tuple[type[Exception], ...]:
    found: list[type[Exception]] = [OSError, EOFError, UnicodeError, zlib.error, lzma.LZMAError]
    with suppress(ImportError):
        found.append(import_module("zstandard").ZstdError)
    return tuple(found)


_UNREADABLE: Final = _errors()
