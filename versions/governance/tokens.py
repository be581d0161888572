"""Split SQL text into statements of tokens: comments, quoted names, strings, dollar quotes and brackets.

What an f-string puts in stands in braces and counts as part of a name. The inside of a dollar quote
(the body of a function or a `DO`) is one string and is not looked into. Every text is read in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""(?P<skip>\s+ | --[^\n]*)
      | (?P<comment>/\*)
      | (?P<tag>\$(?:[^\W\d]\w*)?\$)
      | (?P<string>[Ee]'(?:[^'\\]|\\.|'')*' | (?:[BbNnXx]|[Uu]&)?'[^']*(?:''[^']*)*')
      | (?P<quoted>"[^"]*(?:""[^"]*)*")
      | (?P<word>(?:[^\W\d]|\{[^{}]*\})(?:[\w$]|\{[^{}]*\})*)
      | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PASSED_OVER: Final = frozenset({"skip", "comment"})
_COMMENT_MARK: Final = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A piece of SQL: `word` is the upper case of an unquoted one, `name` it as PostgreSQL folds it."""

    text: str
    offset: int
    word: str = ""
    name: str = ""
    value: str | None = None


Tokens = Sequence[Token]


def statements(text: str, start: int = 0, end: int | None = None) -> Iterator[Tokens]:
    """Yield the tokens of each statement of *text*, without comments and the closing semicolon."""
    found: list[Token] = []
    depth = 0
    for token in _tokens(text, start, len(text) if end is None else end):
        if depth or token.word == "ATOMIC":
            depth = _depth(depth, token.word, found)
        if token.text == ";" and depth == 0:
            yield found
            found = []
        else:
            found.append(token)
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


def line_comments(text: str) -> Iterator[tuple[int, str]]:
    """Yield each comment of *text* that begins with two hyphens, and where it begins."""
    for match in _matches(text, 0, len(text)):
        if match.lastgroup == "skip" and match[0].startswith("--"):
            yield match.start(), match[0]


def _tokens(text: str, start: int, end: int) -> Iterator[Token]:
    """Yield the tokens between two places of *text*."""
    for match in _matches(text, start, end):
        kind, at = match.lastgroup, match.start()
        if kind == "word":
            said = match[0]
            yield Token(said, at, said.upper(), said if "{" in said else said.lower())
        elif kind == "tag":
            close, after = _ends_of_quote(text, match, end)
            yield Token(text[at:after], at, value=text[match.end() : close])
        elif kind not in _PASSED_OVER:
            yield _token(match)


def _matches(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    """Yield what begins each piece of *text*; what is never closed takes the rest."""
    at = start
    while (match := _TOKEN.match(text, at, end)) is not None:
        yield match
        at = match.end()
        if match.lastgroup == "comment":
            at = _end_of_comment(text, match.start(), end)
        elif match.lastgroup == "tag":
            _, at = _ends_of_quote(text, match, end)


def _ends_of_quote(text: str, opening: re.Match[str], end: int) -> tuple[int, int]:
    """Return where the inside of a dollar quote ends, and where the quote does."""
    close = text.find(opening[0], opening.end(), end)
    return (end, end) if close < 0 else (close, close + len(opening[0]))


def _end_of_comment(text: str, start: int, end: int) -> int:
    """Return where the comment at *start* ends; PostgreSQL lets comments hold comments."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, start, end):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return end


def _depth(depth: int, word: str, before: Sequence[Token]) -> int:
    """Return how deep in a `BEGIN ATOMIC … END` body *word* leaves us; its semicolons end no statement."""
    if depth:
        return depth + (word == "CASE") - (word == "END")
    return int(word == "ATOMIC" and bool(before) and before[-1].word == "BEGIN")


def _token(match: re.Match[str]) -> Token:
    text, offset = match[0], match.start()
    if match.lastgroup == "quoted":
        return Token(text, offset, name=text[1:-1].replace('""', '"'))
    if match.lastgroup == "string":
        return Token(text, offset, value=text[text.index("'") + 1 : -1].replace("''", "'"))
    return Token(text, offset)
