"""Tell whether the server reads a block of CSV as we do, quicker than reading it. No database here.

The server takes a quote anywhere for one that opens or closes, and so would join two rows that each hold
`7" single`, without a word. What is not plainly regular is converted instead.
"""

from __future__ import annotations

import re
from functools import cache
from operator import itemgetter
from typing import Final

_FIRST, _LAST = itemgetter(0), itemgetter(-1)
# Written as one letter for each mark, a line is fields with D between them. A small letter stands right
# behind another mark, or at the beginning of the line; what else there is has no letter. A quoted field is
# opened by a small q, and behind the quote that closes it is a small d, or n for the end of the line; two in
# a row are one that is meant.
_REGULAR_LINE: Final = re.compile(rb"(?:(?:q(?:[dD]|[qQ]q)*[qQ](?=d))?[dD])*(?:q(?:[dD]|[qQ]q)*[qQ](?=n))?n?")
# Machines write the same line over and over. From so many shapes on, each costs more than it saves.
_SHAPES_MOST: Final = 300
_SHAPE_MOST_BYTES: Final = 10_000


def regular_records(block: bytes, delimiter: bytes, quote: bytes) -> int | None:
    """Return how many records *block* has, if the server may read it as it is; else None.

    Line ends are LF throughout.
    """
    if b"\r" in block or b"\0" in block:
        return None
    if not quote or quote not in block:
        return block.count(b"\n")
    return _apart(block, delimiter, quote)


def alike_lines(block: bytes, delimiter: bytes, quote: bytes) -> int | None:
    """Return how many lines *block* has, if the server reads each as one record, as we do; else None.

    It also gives up on lines of many shapes: then `regular_records` is quicker.
    """
    if b"\r" in block or b"\0" in block:
        return None
    if quote not in block:
        return block.count(b"\n")
    # `title` makes a letter small that follows a letter: it says of each mark whether one is right before it.
    marks = block.translate(_letters(delimiter, quote)).title().translate(None, b".")
    if block.startswith(quote):
        marks = b"q" + marks[1:]
    if b"n" in marks:
        marks = marks.replace(b"n", b"nN")
    alike = _repeats(marks)
    if alike is not None and _REGULAR_LINE.fullmatch(alike):
        return len(marks) // (len(alike) + 1)
    lines = marks.split(b"N")
    shapes = set(lines)
    if len(shapes) > _SHAPES_MOST or max(map(len, shapes)) > _SHAPE_MOST_BYTES:
        return None
    if not all(map(_REGULAR_LINE.fullmatch, shapes)):
        return None
    # Behind the last is a line end.
    return len(lines) - 1


def _repeats(marks: bytes) -> bytes | None:
    """Return the one line that *marks* are all made of; None if there are several, or too long a one."""
    line = marks[: marks.find(b"N", 0, _SHAPE_MOST_BYTES) + 1]
    return line[:-1] if line and line * (len(marks) // len(line)) == marks else None


@cache
def _letters(delimiter: bytes, quote: bytes) -> bytes:
    table = bytearray(b"." * 256)
    table[delimiter[0]], table[quote[0]], table[0x0A] = b"dqn"
    return bytes(table)


def _apart(block: bytes, delimiter: bytes, quote: bytes) -> int | None:
    """Return how many records *block* has, whatever their shapes; None if one is not regular."""
    # A quote written twice is a NUL from here on, which the block does not hold.
    parts = block.replace(quote * 2, b"\0").split(quote)
    if len(parts) % 2 == 0:
        return None
    outside = parts[::2]
    if not _stand_between(outside, {delimiter[0], 0x0A}):
        return None
    text = quote.join(outside)
    if b"\0" in text and not _stand_between(text.split(b"\0"), {delimiter[0], 0x0A}):
        return None
    return text.count(b"\n")


def _stand_between(parts: list[bytes], separators: set[int]) -> bool:
    """Tell whether a separator ends and begins each of *parts*, where another one is beside it."""
    # At the beginning of the block, as at that of a line.
    begins = parts[1:]
    ends = parts[:-1] if parts[0] else parts[1:-1]
    return (
        all(begins)
        and all(ends)
        and {*map(_FIRST, begins)} <= separators
        and {*map(_LAST, ends)} <= separators
    )
