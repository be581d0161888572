"""Split SQL text into statements of tokens: comments, quoted names, strings, dollar quotes and brackets.

What an f-string puts in stands in braces and counts as part of a name. The inside of a dollar quote
(the body of a function or a `DO`) is one string and is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""(?P<skip>\s+ | --[^\n]* | /\*.*?\*/)
      | (?P<dollar>(?P<tag>\$(?:[^\W\d]\w*)?\$)(?P<body>.*?)(?P=tag))
      | (?P<string>[Ee]'(?:[^'\\]|\\.|'')*' | (?:[BbNnXx]|[Uu]&)?'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<word>(?:[^\W\d]|\{[^{}]*\})(?:[\w$]|\{[^{}]*\})*)
      | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """A piece of SQL: `word` is the upper case of an unquoted one, `name` it as PostgreSQL folds it."""

    text: str
    offset: int
    word: str = ""
    name: str = ""
    value: str | None = None


Tokens = Sequence[Token]


def statements(text: str) -> Iterator[Tokens]:
    """Yield the tokens of each statement of *text*, without comments and the closing semicolon."""
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        if match[0] == ";":
            yield found
            found = []
        elif match["skip"] is None:
            found.append(_token(match))
    yield found


def begins(tokens: Tokens, *words: str) -> bool:
    """Tell whether *tokens* begin with these words."""
    return tuple(token.word for token in tokens[: len(words)]) == words


def split(tokens: Tokens) -> list[Tokens]:
    """Return the parts of *tokens* between the commas that stand in no brackets; none of them is empty."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if token.text == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def bracketed(tokens: Tokens) -> tuple[Tokens, Tokens]:
    """Return what is in the brackets that *tokens* begin with, and what follows them."""
    if not tokens or tokens[0].text != "(":
        return [], tokens
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            return tokens[1:index], tokens[index + 1 :]
    return tokens[1:], []


def outside_brackets(tokens: Tokens) -> list[Token]:
    """Return the tokens that stand in no brackets."""
    found: list[Token] = []
    depth = 0
    for token in tokens:
        depth -= token.text == ")"
        if depth <= 0 and token.text not in {"(", ")"}:
            found.append(token)
        depth += token.text == "("
    return found


def qualified(tokens: Tokens) -> tuple[str, Tokens]:
    """Return the name that *tokens* begin with, and what follows it; a leading `public.` is left out."""
    parts: list[str] = []
    rest = tokens
    while rest and rest[0].name:
        parts.append(rest[0].name)
        rest = rest[1:]
        if not rest or rest[0].text != ".":
            break
        rest = rest[1:]
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] == "public" else parts), rest


def _token(match: re.Match[str]) -> Token:
    text, offset = match[0], match.start()
    if match["word"]:
        return Token(text, offset, word=text.upper(), name=text if "{" in text else text.lower())
    if match["quoted"]:
        return Token(text, offset, name=text[1:-1].replace('""', '"'))
    if match["string"]:
        return Token(text, offset, value=text[text.index("'") + 1 : -1].replace("''", "'"))
    return Token(text, offset, value=match["body"])
