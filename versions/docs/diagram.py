"""Draw tables, their keys and what they point at, as an entity-relationship diagram of Mermaid. Pure.

https://mermaid.js.org/syntax/entityRelationshipDiagram.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from spotify_ai_agent_migrations.versions.docs.schema import Column, Constraint, Table

# Inside the quotation marks of an entity, and inside those of a relation.
_NOT_QUOTABLE: Final = re.compile(r'["%\\\x00-\x1f]')
_NOT_A_WORD: Final = re.compile(r"[^\w\[\]()-]")
# Mermaid reads these as kinds of keys, in any case, and so they name no attribute.
_TAKEN: Final = {"pk", "fk", "uk"}
_MARKS: Final = {"p": "PK", "f": "FK", "u": "UK"}


def diagram(tables: Sequence[Table]) -> str:
    """Return the diagram of *tables*: their keys, and whatever they point at, drawn or only named."""
    ordered = sorted(tables, key=lambda one: one.key)
    lines = [line for table in ordered for line in (*_entity(table), *_relations(table))]
    return "\n".join(["erDiagram", *(f"    {line}" for line in lines)])


def _entity(table: Table) -> Iterator[str]:
    keyed = [(column, marks) for column in table.columns if (marks := _marks(table, column.name))]
    if not keyed:
        yield _quoted(table.called)
        return
    yield f"{_quoted(table.called)} {{"
    for column, marks in keyed:
        yield f"    {_word(column.type)} {_word(column.name)} {', '.join(marks)}"
    yield "}"


def _marks(table: Table, column: str) -> list[str]:
    kinds = {held.kind for held in table.constraints if column in held.columns}
    return [mark for kind, mark in _MARKS.items() if kind in kinds]


def _relations(table: Table) -> Iterator[str]:
    for held in sorted(table.constraints, key=lambda one: one.name):
        if held.kind == "f" and held.target is not None:
            label = ", ".join(held.columns)
            line = _line(table, held)
            yield f"{_quoted(held.target)} {line} {_quoted(table.called)} : {_quoted(label)}"


def _line(table: Table, held: Constraint) -> str:
    """Return how many are on either side; the line is whole where the child's own key names the parent."""
    columns: dict[str, Column] = {column.name: column for column in table.columns}
    parent = "|o" if any(columns[name].nullable for name in held.columns) else "||"
    keys = [set(one.columns) for one in table.constraints if one.kind in {"p", "u"} and one.columns]
    child = "o|" if any(key <= set(held.columns) for key in keys) else "o{"
    primary = [set(one.columns) for one in table.constraints if one.kind == "p"]
    identifying = any(set(held.columns) <= key for key in primary)
    return f"{parent}{'--' if identifying else '..'}{child}"


def _quoted(name: str) -> str:
    """Return *name* as Mermaid takes any name: bare, some words would be read as its own."""
    return f'"{_NOT_QUOTABLE.sub("_", name.replace(chr(34), ""))}"'


def _word(name: str) -> str:
    word = _NOT_A_WORD.sub("_", name.replace('"', ""))
    if word.lower() in _TAKEN:
        return f"{word}_"
    return word if re.match(r"[^\W\d]|_", word) else f"_{word}"
