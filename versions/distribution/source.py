"""Read the source of a function as statements, roughly: without its comments and literals. Runs nothing."""

from __future__ import annotations

import re
from typing import Final

_COMMENT: Final = re.compile(r"--[^\n]*|/\*.*?(?:\*/|$)|(?P<literal>'(?:[^']|'')*')", re.DOTALL)


def without_comments(source: str) -> str:
    """Return *source* without its comments, and with the insides of its literals left out."""
    return _COMMENT.sub(lambda part: "''" if part["literal"] else " ", source)


def statements(source: str) -> list[str]:
    """Return the statements of *source*, each on one line; PL/pgSQL falls apart at its semicolons."""
    parts = (" ".join(part.split()) for part in without_comments(source).split(";"))
    return [part for part in parts if part]


def names(statement: str, schema: str, table: str) -> bool:
    """Tell whether *statement* names the table, with its schema or without one; not another schema's."""
    written = rf'(?<![\w".])(?:"?{re.escape(schema)}"?\.)?"?{re.escape(table)}"?(?![\w"(])'
    return re.search(written, statement, re.IGNORECASE) is not None
