"""Split a script into its statements, each with the place where it begins. No database here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from spotify_ai_agent_migrations.versions.governance.tokens import Token, statements


class Piece(NamedTuple):
    """One statement of a script, as it is written, and its offset."""

    text: str
    offset: int


def pieces(script: str) -> tuple[Piece, ...]:
    """Return the statements of *script* without the comments around them; empty ones are left out.

    A semicolon in a string, a dollar quote, a comment, brackets or a body `BEGIN ATOMIC … END` ends none.
    """
    return tuple(
        Piece(script[tokens[0].offset : tokens[-1].offset + len(tokens[-1].text)], tokens[0].offset)
        for tokens in _statements(script)
    )


def _statements(script: str) -> Iterator[list[Token]]:
    """Yield the tokens of each statement; the actions of a rule stand in brackets, with semicolons."""
    found: list[Token] = []
    for tokens in statements(script):
        found.extend(tokens)
        if found and _closed(found):
            yield found
            found = []
    if found:
        yield found


def _closed(tokens: list[Token]) -> bool:
    texts = [token.text for token in tokens]
    return texts.count("(") <= texts.count(")")
