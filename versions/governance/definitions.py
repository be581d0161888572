"""Read what a column or a constraint is from its definition in SQL. Executes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from spotify_ai_agent_migrations.versions.governance import column_types, ddl
from spotify_ai_agent_migrations.versions.governance.acts import Column, Constraint, Default
from spotify_ai_agent_migrations.versions.governance.ddl import Element
from spotify_ai_agent_migrations.versions.governance.tokens import (
    Tokens,
    begins,
    bracketed,
    outside_brackets,
    qualified,
    split,
)

_AFTER_VALUE: Final = frozenset(
    {"CHECK", "COLLATE", "CONSTRAINT", "GENERATED", "NOT", "NULL", "PRIMARY", "REFERENCES", "UNIQUE"}
)
_NO_FUNCTIONS: Final = frozenset(
    {"AND", "ANY", "ARRAY", "AS", "CASE", "IN", "NOT", "OR", "ROW", "THEN", "WHEN"}
)


def column(element: Element) -> Column | None:
    """Return the column that *element* defines, if it does not define something else."""
    default: Default | None
    if element.column is None:
        return None
    kind, rest = column_types.from_sql(element.tokens[1:])
    words = tuple(token.word for token in outside_brackets(rest))
    inline = tuple(_inline(element))
    required = ("NOT", "NULL") in pairwise(words)
    if kind.name in column_types.SERIALS:
        required, default = True, Default("sequence")
    else:
        default = _default(rest, words)
    return Column(element.column, kind, required, default, inline, part=element.tokens[0])


def constraint(tokens: Tokens) -> Constraint | None:
    """Return the constraint that *tokens* define, if they do not define a column."""
    name, rest = (
        (tokens[1].name, tokens[2:]) if begins(tokens, "CONSTRAINT") and tokens[1:] else (None, tokens)
    )
    level = [token.word for token in outside_brackets(rest)]
    not_valid = level[-2:] == ["NOT", "VALID"]
    if begins(rest, "NOT", "NULL"):
        checked = rest[2].name if rest[2:] else None
        return Constraint("not null", name, checks=checked, not_valid=not_valid, part=tokens[0])
    kind = ddl.KINDS.get(rest[0].word) if rest else None
    if kind is None:
        return None
    columns = () if kind == "check" else _listed(rest)
    refers = referred(rest)
    uses = begins(rest, "UNIQUE", "USING", "INDEX") or begins(rest, "PRIMARY", "KEY", "USING", "INDEX")
    checks = not_null(bracketed(rest[1:])[0]) if kind == "check" else None
    return Constraint(kind, name, columns, refers, not_valid, uses, checks, _cascades(level), tokens[0])


def functions(tokens: Tokens) -> Iterator[str]:
    """Yield the functions that an expression calls, with their schema where that is written."""
    for at, token in enumerate(tokens[:-1]):
        if not token.name or tokens[at + 1].text != "(" or token.word in _NO_FUNCTIONS:
            continue
        before = tokens[at - 1].text if at else ""
        if before == "." and at >= 2:
            yield f"{tokens[at - 2].name}.{token.name}"
        elif before != ":":
            yield token.name


def written(tokens: Tokens) -> str:
    """Return *tokens* as they were written, on one line and without comments."""
    parts: list[str] = []
    end = tokens[0].offset if tokens else 0
    for token in tokens:
        parts.append(token.text if token.offset == end else f" {token.text}")
        end = token.offset + len(token.text)
    return "".join(parts)


def referred(tokens: Tokens) -> str | None:
    """Return the table behind the word REFERENCES."""
    at = next((place for place, token in enumerate(tokens) if token.word == "REFERENCES"), None)
    return None if at is None else qualified(tokens[at + 1 :])[0] or None


def _cascades(words: Sequence[str]) -> bool:
    """Tell whether the words of a foreign key hold ON DELETE CASCADE."""
    return any(tuple(words[at : at + 3]) == ("ON", "DELETE", "CASCADE") for at in range(len(words)))


def not_null(condition: Tokens) -> str | None:
    """Return the column, if all that *condition* asks is that it is not NULL."""
    while condition and condition[0].text == "(" and not bracketed(condition)[1]:
        condition = bracketed(condition)[0]
    asks = tuple(token.word for token in condition[1:]) == ("IS", "NOT", "NULL")
    return condition[0].name or None if asks else None


def _default(rest: Tokens, words: tuple[str, ...]) -> Default | None:
    """Return where the value of a column comes from."""
    if "GENERATED" in words:
        if "IDENTITY" in words:
            return Default("sequence")
        return Default("stored" if "STORED" in words else "virtual")
    start = next((at for at, token in enumerate(rest) if token.word == "DEFAULT"), None)
    if start is None:
        return None
    value = rest[start + 1 :]
    ends = (at for at, token in enumerate(value) if at and token.word in _AFTER_VALUE)
    value = value[: next(ends, len(value))]
    is_null = [token.word for token in value] == ["NULL"]
    return None if is_null else Default("value", tuple(functions(value)), f"sa.text({written(value)!r})")


def _inline(element: Element) -> Iterator[Constraint]:
    for found in ddl.constraints(element):
        after = [token for token in element.tokens if token.offset >= found.token.offset]
        is_key = found.kind == "fkey"
        words = [token.word for token in after] if is_key else []
        yield Constraint(
            found.kind, found.name, found.columns, referred(after) if is_key else None,
            cascades=_cascades(words), part=found.token,
        )  # fmt: skip


def _listed(tokens: Tokens) -> tuple[str, ...]:
    """Return the columns in the first brackets of *tokens*."""
    start = next((at for at, token in enumerate(tokens) if token.text == "("), len(tokens))
    return tuple(part[0].name for part in split(bracketed(tokens[start:])[0]) if part[0].name)
