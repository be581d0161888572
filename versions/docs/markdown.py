"""Write text, code and tables so that Markdown shows them as they are. Pure: strings in, a string out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

# What begins emphasis, code, a link, a tag, mathematics or an entity, wherever it stands in a line.
_SPECIAL: Final = re.compile(r"[\\`*\[\]<$~]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
# What begins a heading, a list or a quotation, at the start of a line only.
_OPENING: Final = re.compile(r"^(?:(?=[-+#>=])|(\d+)(?=[.)]))")
_BACKTICKS: Final = re.compile(r"`+")
_TO_HYPHEN: Final = re.compile(r"\s")
_NO_ANCHOR: Final = re.compile(r"[^\w\s-]")


def text(value: str) -> str:
    """Return *value* as plain text on one line, for a cell or the middle of a line."""
    return _SPECIAL.sub(r"\\\g<0>", " ".join(value.split()))


def paragraph(value: str) -> str:
    """Return *value* as plain text that begins a line."""
    return _OPENING.sub(r"\1\\", text(value))


def code(value: str) -> str:
    """Return *value* as code on one line."""
    line = " ".join(value.split())
    if re.search(r"\\+\|", line):
        # In the cell of a table no code span can hold a backslash before a bar.
        return f"<code>{''.join(c if c.isalnum() or c == ' ' else f'&#{ord(c)};' for c in line)}</code>"
    longest = max(map(len, _BACKTICKS.findall(line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{space}{line}{space}{fence}"


def anchor(heading: str) -> str:
    """Return what GitHub and others call the place of a heading."""
    return _TO_HYPHEN.sub("-", _NO_ANCHOR.sub("", heading.strip().lower()))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown on one line each; a bar in a cell stays in it."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in lines)


def fenced(language: str, content: str) -> str:
    """Return a block of code; no line of *content* can end it."""
    longest = max(map(len, _BACKTICKS.findall(content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content.rstrip()}\n{fence}\n"
