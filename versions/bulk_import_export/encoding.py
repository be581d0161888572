"""Tell the encoding of a text, and read it as UTF-8. No database here."""

from __future__ import annotations

import codecs
import io
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from spotify_ai_agent_migrations.versions.bulk_import_export.judging import judge

_BOMS: Final = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_PART_BYTES: Final = 1 << 18
# Of one byte in UTF-8 and of no meaning there, so that it is refused by line where it is read.
_INVALID: Final = "\udcff"


@dataclass(frozen=True)
class Detected:
    """The encoding of a text, and whether that is a guess; where it cannot be told, `candidates` are more."""

    encoding: str
    is_guess: bool = False
    candidates: tuple[str, ...] = ()


def detect(sample: bytes) -> Detected:
    """Return the encoding of a text that begins with *sample*: its mark, else UTF-8, else the likeliest.

    Where two are about as likely, as where none is, it is UTF-8, and what is wrong there is told by line.
    """
    for mark, name in _BOMS.items():
        if sample.startswith(mark):
            return Detected(name)
    if (wide := _without_mark(sample)) is not None:
        return Detected(wide)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(sample)
    except UnicodeDecodeError:
        return _likeliest(sample)
    return Detected("utf-8")


def _without_mark(sample: bytes) -> str | None:
    """Tell UTF-16 and UTF-32 without a mark by the NULs in every other byte, or in three of four."""
    start = sample[: min(512, len(sample) // 4 * 4)]
    for name, place in (("utf-32-le", 0), ("utf-32-be", 3)):
        others = b"".join(start[other::4] for other in range(4) if other != place)
        if len(start) > 7 and others.count(0) > 0.9 * len(others) and 0 not in start[place::4]:
            return name
    for name, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, others = start[first::2], start[1 - first :: 2]
        if len(start) > 3 and zeros.count(0) > 0.7 * len(zeros) and 0 not in others:
            return name
    return None


def _likeliest(sample: bytes) -> Detected:
    """Judge bytes that are not UTF-8; a few of them among letters that are, and it is UTF-8 gone wrong."""
    text = sample.decode("utf-8", "replace")
    wrong = text.count("�")
    right = sum(letter > "\x7f" for letter in text) - wrong
    if right > wrong:
        return Detected("utf-8")
    found = judge(sample)
    if found.encoding is None:
        return Detected("utf-8", candidates=found.candidates)
    return Detected(found.encoding, is_guess=True)


def transcoding(stream: BinaryIO, head: bytes, encoding: str) -> io.BufferedReader:
    """Return *head* and what follows it in *stream*, in UTF-8."""
    raw: Any = _Transcoding(stream, head, encoding)
    return io.BufferedReader(raw, _PART_BYTES)


class _Transcoding(io.RawIOBase):
    def __init__(self, stream: BinaryIO, head: bytes, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._head = head
        self._decoder = codecs.getincrementaldecoder(encoding)("agentdb.invalid")
        self._ready = b""
        self._over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._over:
            part = self._head or self._stream.read(_PART_BYTES)
            self._head = b""
            self._over = not part
            text = self._decoder.decode(part, final=self._over)
            self._ready = text.encode("utf-8", "surrogateescape")
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _invalid(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _INVALID, error.end


codecs.register_error("agentdb.invalid", _invalid)
