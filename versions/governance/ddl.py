"""Read what a statement of SQL defines: columns, constraints and comments. Executes nothing.

What is not seen: the inside of a dollar-quoted body (`DO`, functions), `CREATE TABLE … OF type`, and the
columns of a partition, which are its parent's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from spotify_ai_agent_migrations.versions.governance.strings import SqlText
from spotify_ai_agent_migrations.versions.governance.tokens import (
    Token,
    Tokens,
    begins,
    bracketed,
    outside_brackets,
    qualified,
    split,
)

_LASTING: Final = frozenset({"GLOBAL", "LOCAL", "UNLOGGED", "FOREIGN"})
_PASSING: Final = frozenset({"TEMP", "TEMPORARY"})
KINDS: Final = {
    "PRIMARY": "pkey", "UNIQUE": "key", "CHECK": "check", "REFERENCES": "fkey", "FOREIGN": "fkey",
    "EXCLUDE": "excl",
}  # fmt: skip


@dataclass(frozen=True)
class Element:
    """One line of a `CREATE TABLE`, or one `ADD` of an `ALTER TABLE`; `tokens` are never empty."""

    table: str
    tokens: Tokens

    @property
    def column(self) -> str | None:
        """Return the name of the column this defines, if it does not define something else."""
        other = {*KINDS, "CONSTRAINT", "LIKE"}
        constraint = self.tokens[0].word in other or begins(self.tokens, "NOT", "NULL")
        return None if constraint else self.tokens[0].name or None

    @property
    def copies_columns(self) -> bool:
        """Tell whether this is a `LIKE` that leaves the comments of the columns behind."""
        kept = False
        for said, what in pairwise(token.word for token in self.tokens):
            if said in {"INCLUDING", "EXCLUDING"} and what in {"ALL", "COMMENTS"}:
                kept = said == "INCLUDING"
        return begins(self.tokens, "LIKE") and not kept


@dataclass(frozen=True)
class Constraint:
    """A constraint or an index in SQL; `name` is None where it has none."""

    kind: str
    table: str
    columns: tuple[str, ...]
    name: str | None
    token: Token


def statements(text: SqlText) -> Iterator[Tokens]:
    """Yield the statements of *text*, also those inside a `CREATE SCHEMA`."""
    return (inner for statement in text.statements for inner in unfolded(statement))


def elements(statement: Tokens) -> Iterator[Element]:
    """Yield what *statement* defines, if it creates a lasting table or adds to one."""
    if (table := table_of(statement, "CREATE")) is not None:
        inside, _ = bracketed(table[1])
        yield from (Element(table[0], part) for part in split(inside))
    elif (table := table_of(statement, "ALTER")) is not None:
        added = (_added(action) for action in split(table[1]) if begins(action, "ADD"))
        yield from (Element(table[0], part) for part in added if part)


def made_from_query(statement: Tokens) -> str | None:
    """Return the table that *statement* makes with `AS` or `INTO`, taking its columns from a query."""
    table = table_of(statement, "CREATE")
    if table is None:
        return _selected_into(statement)
    _, rest = bracketed(table[1])
    return table[0] if any(token.word == "AS" for token in outside_brackets(rest)) else None


def constraints(element: Element) -> Iterator[Constraint]:
    """Yield the constraints of *element*, named or not; `NOT NULL` is not counted among them."""
    level = outside_brackets(element.tokens)
    column = element.column
    found = [(at, token) for at, token in enumerate(level) if at >= bool(column) and token.word in KINDS]
    # `FOREIGN KEY … REFERENCES …` on a line of its own is one constraint, in a column each word is one.
    for at, token in found if column else found[:1]:
        named = at >= 2 and level[at - 2].word == "CONSTRAINT"
        columns = (column,) if column else _listed(element.tokens, token)
        yield Constraint(
            KINDS[token.word], element.table, columns, level[at - 1].name if named else None, token
        )


def index(statement: Tokens) -> Constraint | None:
    """Return the index that *statement* creates."""
    if not (begins(statement, "CREATE", "INDEX") or begins(statement, "CREATE", "UNIQUE", "INDEX")):
        return None
    at = next(place for place, token in enumerate(statement) if token.word == "INDEX")
    rest = without(without(statement[at + 1 :], "CONCURRENTLY"), "IF", "NOT", "EXISTS")
    if not rest:
        return None
    unnamed = begins(rest, "ON")
    name = None if unnamed else rest[0].name
    table, after = qualified(without(rest[0 if unnamed else 1 :][1:], "ONLY"))
    return Constraint("idx", table, _listed(after, statement[0]), name, statement[0])


def column_comments(statement: Tokens) -> Iterator[tuple[str, str]]:
    """Yield the column, with its table, and the text of a `COMMENT ON COLUMN`."""
    if begins(statement, "COMMENT", "ON", "COLUMN"):
        column, rest = qualified(statement[3:])
        if begins(rest, "IS"):
            yield column, "".join(token.value or "" for token in rest[1:])


def unfolded(statement: Tokens) -> Iterator[Tokens]:
    """Yield *statement*, and after a `CREATE SCHEMA` each statement inside it, with the schema's name."""
    starts = [0]
    if begins(statement, "CREATE", "SCHEMA"):
        within = [at for at, depth in enumerate(_depths(statement)) if at and not depth]
        starts += [at for at in within if statement[at].word in {"CREATE", "GRANT"}]
    for start, end in zip(starts, [*starts[1:], len(statement)], strict=True):
        yield _in_schema(statement, statement[start:end]) if start else statement[start:end]


def _depths(tokens: Tokens) -> Iterator[int]:
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        yield depth


def _in_schema(schema: Tokens, statement: Tokens) -> Tokens:
    """Return *statement* with the name of a `CREATE SCHEMA` before that of its table, unless it has one."""
    named = without(without(schema[2:], "IF", "NOT", "EXISTS"), "AUTHORIZATION")
    table = table_of(statement, "CREATE")
    if table is None or "." in table[0] or not named:
        return statement
    at = len(statement) - len(table[1]) - 1
    dot = Token(".", named[0].offset)
    return [*statement[:at], named[0], dot, *statement[at:]]


def _selected_into(statement: Tokens) -> str | None:
    """Return the lasting table of a `SELECT … INTO`."""
    if not (begins(statement, "SELECT") or begins(statement, "WITH")):
        return None
    level = outside_brackets(statement)
    for before, at in zip(level, range(1, len(level)), strict=False):
        if level[at].word == "INTO" and before.word not in {"INSERT", "MERGE"}:
            rest = without(without(level[at + 1 :], "UNLOGGED"), "TABLE")
            return None if rest and rest[0].word in _PASSING else qualified(rest)[0] or None
    return None


def table_of(statement: Tokens, verb: str) -> tuple[str, Tokens] | None:
    """Return the table *statement* creates or alters and what follows its name; no temporary one."""
    if not begins(statement, verb):
        return None
    rest = statement[1:]
    while rest and rest[0].word in _LASTING:
        rest = rest[1:]
    if not begins(rest, "TABLE"):
        return None
    rest = without(without(rest[1:], "IF", "NOT", "EXISTS"), "IF", "EXISTS")
    name, rest = qualified(without(rest, "ONLY"))
    everywhere = bool(rest) and rest[0].text == "*"
    return None if name.startswith("pg_temp.") else (name, rest[1:] if everywhere else rest)


def _added(action: Tokens) -> Tokens:
    return without(without(action[1:], "COLUMN"), "IF", "NOT", "EXISTS")


def without(tokens: Tokens, *words: str) -> Tokens:
    """Return *tokens* without these words, if they begin with them."""
    return tokens[len(words) :] if begins(tokens, *words) else tokens


def _listed(tokens: Tokens, after: Token) -> tuple[str, ...]:
    """Return the columns in the first brackets of *tokens* after a token."""
    rest = [token for token in tokens if token.offset >= after.offset]
    start = next((place for place, token in enumerate(rest) if token.text == "("), len(rest))
    inside, _ = bracketed(rest[start:])
    return tuple(part[0].name for part in split(inside) if part[0].name)
