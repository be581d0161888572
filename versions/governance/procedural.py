"""Find the statements of SQL in the body of a `DO`. Executes nothing.

What the body builds (`EXECUTE format(…)`) is not seen, nor is a statement behind a CASE in the condition of
an IF.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.tokens import Token, Tokens, begins, statements

_OPENS: Final = frozenset({"BEGIN", "ELSE", "LOOP"})
# A control structure, and the word after which its first statement comes.
_UNTIL: Final = {
    "CASE": "THEN", "ELSIF": "THEN", "ELSEIF": "THEN", "EXCEPTION": "THEN", "FOR": "LOOP", "FOREACH": "LOOP",
    "IF": "THEN", "WHEN": "THEN", "WHILE": "LOOP",
}  # fmt: skip
_BEGINS: Final = _OPENS | _UNTIL.keys()


def bodies(statement: Tokens, text: str) -> Iterator[Tokens]:
    """Yield the statements inside *statement* of *text*, if it is a `DO` with its body in dollar quotes."""
    if begins(statement, "DO"):
        for token in statement[1:]:
            if token.value is not None and token.text.startswith("$"):
                yield from _inside(token, text)


def _inside(token: Token, text: str) -> Iterator[Tokens]:
    tag_length = token.text.index("$", 1) + 1
    start = token.offset + tag_length
    for statement in statements(text, start, start + len(token.value or "")):
        plain = _uncontrolled(statement)
        if plain:
            yield plain


def _uncontrolled(tokens: Tokens) -> Tokens:
    """Return *tokens* without the control structures they begin with."""
    at = 0
    while at < len(tokens) and tokens[at].word in _BEGINS:
        last = _UNTIL.get(tokens[at].word)
        while last is not None and at < len(tokens) and tokens[at].word != last:
            at += 1
        at += 1
    return tokens[at:]
