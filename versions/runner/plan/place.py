"""Find the line of a revision on which a statement is written, while it is being executed."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.runner.plan.script import Piece

# It looks for invalid indexes when a block of the revision ends.
_RUNNERS_OWN: Final = str(Path(__file__).resolve().parents[1] / "alone.py")
_LITERAL: Final = re.compile(
    r"(?P<prefix>[A-Za-z]*)(?P<quote>'''|\"\"\"|'|\")(?P<body>.*)(?P=quote)", re.DOTALL
)
# What one or no character of the string is written as; a backslash before anything else is one of two.
_UNIT: Final = re.compile(
    r"""\\(?:(?P<nothing>\r?\n)
         |(?P<one>[0-7]{1,3}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|N\{[^}]*\}|[\\'"abfnrtv]))
      |.""",
    re.VERBOSE | re.DOTALL,
)


class Source:
    """The text of one revision."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def calling_line(self) -> int | None:
        """Return the line of the revision that is being executed; None where the runner itself is.

        The innermost, where functions of the revision call one another.
        """
        frame = sys._getframe(1)
        name = str(self._file)
        while frame.f_back is not None:
            frame = frame.f_back
            if frame.f_code.co_filename == name:
                return frame.f_lineno
            if frame.f_code.co_filename == _RUNNERS_OWN:
                return None
        return None

    def line(self, script: str, piece: Piece, *, calling_line: int) -> int:
        """Return the line on which *piece*, a statement of *script*, is written.

        It is that of the call, where the statement is put together when it is executed.
        """
        whole = [string for string in self._strings if script and script in string.value]
        # Of equal strings, the one that stands in the call.
        whole.sort(key=lambda string: not string.node.lineno <= calling_line <= string.end)
        if whole:
            return whole[0].line(whole[0].value.index(script) + piece.offset)
        # Escaped, or with values put in, the rest of the script may be as it is written.
        holding = [string for string in self._strings if piece.text in string.value]
        return holding[0].line(holding[0].value.index(piece.text)) if len(holding) == 1 else calling_line

    @cached_property
    def _strings(self) -> list[_String]:
        """The string literals of the file, in order; what an f-string is made of is none."""
        text = self._file.read_text(encoding="utf-8-sig")
        tree, lines = ast.parse(text), text.split("\n")
        made = (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr))
        parts = {id(part) for node in made for part in ast.walk(node)}
        return [
            _String(node, lines)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts
        ]


class _String:
    """A string of the source, which may be written as several literals one after the other."""

    def __init__(self, node: ast.Constant, lines: list[str]) -> None:
        self.node = node
        self.value = str(node.value)
        self.end = node.end_lineno or node.lineno
        self._lines = lines

    def line(self, position: int) -> int:
        """Return the line of the character at *position*."""
        return self._begins[bisect_right(self._begins, (position, sys.maxsize)) - 1][1]

    @cached_property
    def _begins(self) -> list[tuple[int, int]]:
        """The position of the first character of each line, and the line."""
        begins = [(0, self.node.lineno)]
        position = 0
        for token in tokenize.generate_tokens(io.StringIO(f"({self._written})\n").readline):
            if token.type == tokenize.STRING:
                line = self.node.lineno + token.start[0] - 1
                begins.append((position, line))
                for length, breaks in _units(token.string):
                    position, line = position + length, line + breaks
                    if breaks:
                        begins.append((position, line))
        return begins

    @property
    def _written(self) -> str:
        """The text of the literals; columns are counted in bytes."""
        lines = [line.encode() for line in self._lines[self.node.lineno - 1 : self.end]]
        lines[-1] = lines[-1][: self.node.end_col_offset]
        lines[0] = lines[0][self.node.col_offset :]
        return b"\n".join(lines).decode()


def _units(literal: str) -> Iterator[tuple[int, int]]:
    """Yield of each unit of a literal how many characters it stands for, and how many lines it breaks."""
    match = _LITERAL.fullmatch(literal)
    if match is None:
        return
    if "r" in match["prefix"].lower():
        yield from ((1, int(letter == "\n")) for letter in match["body"])
        return
    for unit in _UNIT.finditer(match["body"]):
        yield int(not unit["nothing"]), unit[0].count("\n")
