"""Read what the statements of a string do. Executes nothing.

What a function's body does is not seen, nor what the body of a `DO` builds; its plain statements are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance import column_types, ddl, definitions, procedural
from spotify_ai_agent_migrations.versions.governance.acts import (
    Act,
    AddColumn,
    AddConstraint,
    AlterColumn,
    AuditTable,
    ChangeRows,
    ClassifyColumns,
    CreateIndex,
    CreateTable,
    CreateTemporary,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    RenameColumn,
    RenameTable,
    Statement,
    TableAction,
    ValidateConstraint,
    Where,
)
from spotify_ai_agent_migrations.versions.governance.ddl import Element, without
from spotify_ai_agent_migrations.versions.governance.flow import Step
from spotify_ai_agent_migrations.versions.governance.strings import SqlText
from spotify_ai_agent_migrations.versions.governance.tokens import (
    Tokens,
    begins,
    bracketed,
    outside_brackets,
    qualified,
    split,
)

# A row is found by these through a partial index and without an order; the other methods find no single key.
# Functions of the schema that are given a table.
_ON_TABLES: Final = frozenset({"audit_table_v1", "classify_table_v1", "classify_column_v1"})
_FINDS: Final = frozenset({"btree", "hash"})
_WRITES: Final = frozenset({"DELETE", "INSERT", "UPDATE"})
# Behind these, a word that writes belongs to a clause: FOR UPDATE, ON DELETE, DO UPDATE.
_CLAUSES: Final = frozenset({"DO", "FOR", "KEY", "ON", "OR", "THEN"})


def acts(step: Step) -> Iterator[Act]:
    """Yield what the text of *step* does: each statement as itself, then as what is understood of it."""
    if step.text is None:
        return
    for tokens, inner in _statements(step.text):
        where = Where(step, tokens, inner)
        yield Statement(where)
        yield from _READERS.get(tokens[0].word, _nothing)(where)


def _statements(text: SqlText) -> Iterator[tuple[Tokens, bool]]:
    for whole in filter(None, text.every_statement):
        for tokens in filter(None, ddl.unfolded(whole)):
            yield tokens, False
            yield from ((inner, True) for inner in procedural.bodies(tokens, text.text))


def _nothing(_: Where) -> Iterator[Act]:
    return iter(())


def _create(where: Where) -> Iterator[Act]:
    tokens = where.tokens
    if (table := ddl.table_of(tokens, "CREATE")) is not None and table[0]:
        yield _created(where, table[0], table[1])
    elif begins(tokens, "CREATE", "INDEX") or begins(tokens, "CREATE", "UNIQUE", "INDEX"):
        yield from _index(where)
    elif "TABLE" in (words := [token.word for token in tokens[:4]]):
        named = without(tokens[words.index("TABLE") + 1 :], "IF", "NOT", "EXISTS")
        yield CreateTemporary(where, qualified(named)[0])


def _select(where: Where) -> Iterator[Act]:
    """Read a SELECT; in the body of a `DO` its INTO fills a variable."""
    if not where.inner and (table := ddl.made_from_query(where.tokens)) is not None:
        yield CreateTable(where, table, columns=(), constraints=())
    for at, token in enumerate(where.tokens):
        given = (one.value for one in where.tokens[at + 1 :] if one.value is not None)
        if token.name in _ON_TABLES:
            named = next(given, None)
            table = named and named.removeprefix("public.")
            if token.name == "audit_table_v1":
                yield AuditTable(where, table)
            else:
                column = next(given, None) if token.name == "classify_column_v1" else None
                yield ClassifyColumns(where, table, column)


def _created(where: Where, name: str, rest: Tokens) -> CreateTable:
    parent = qualified(rest[2:])[0] if begins(rest, "PARTITION", "OF") else None
    defined = () if parent else tuple(ddl.elements(where.tokens))
    columns = (definitions.column(element) for element in defined)
    constraints = (definitions.constraint(element.tokens) for element in defined if element.column is None)
    level = [token.word for token in outside_brackets(rest)]
    return CreateTable(
        where, name,
        columns=tuple(column for column in columns if column is not None),
        constraints=tuple(constraint for constraint in constraints if constraint is not None),
        partitioned=("PARTITION", "BY") in pairwise(level),
        partition_of=parent,
        if_not_exists="EXISTS" in {token.word for token in where.tokens[:7]},
    )  # fmt: skip


def _index(where: Where) -> Iterator[Act]:
    tokens = where.tokens
    at = next(place for place, token in enumerate(tokens) if token.word == "INDEX")
    concurrently = begins(tokens[at + 1 :], "CONCURRENTLY")
    rest = without(without(tokens[at + 1 :], "CONCURRENTLY"), "IF", "NOT", "EXISTS")
    name = None if begins(rest, "ON") or not rest else rest[0].name
    rest = rest[1 if name is None else 2 :]
    only = begins(rest, "ONLY")
    table, rest = qualified(without(rest, "ONLY"))
    method = rest[1].name if begins(rest, "USING") and rest[1:] else "btree"
    inside, after = bracketed(rest[2:] if begins(rest, "USING") else rest)
    columns = tuple(_leading(inside))
    wheres = [place for place, token in enumerate(after) if token.word == "WHERE"]
    condition = definitions.not_null(after[wheres[0] + 1 :]) if wheres else None
    covers = method in _FINDS and (not wheres or condition in columns)
    index = Index(name, table, columns, begins(tokens, "CREATE", "UNIQUE"), covers, only)
    yield CreateIndex(where, table or None, index, concurrently)


def _leading(inside: Tokens) -> Iterator[str]:
    """Yield the columns of an index up to its first expression."""
    for part in split(inside):
        if not part[0].name or (part[1:] and part[1].text == "("):
            return
        yield part[0].name


def _drop(where: Where) -> Iterator[Act]:
    tokens = where.tokens
    rest = without(tokens[1:], "FOREIGN")
    if begins(rest, "TABLE"):
        for name in _names(without(rest[1:], "IF", "EXISTS")):
            yield DropTable(where, name)
    elif begins(rest, "INDEX"):
        concurrently = begins(rest, "INDEX", "CONCURRENTLY")
        for name in _names(without(without(rest[1:], "CONCURRENTLY"), "IF", "EXISTS")):
            yield DropIndex(where, None, name, concurrently)


def _names(tokens: Tokens) -> Iterator[str]:
    """Yield the names in a list of them."""
    for part in split(tokens):
        name, _ = qualified(without(part, "ONLY"))
        if name:
            yield name


def _truncate(where: Where) -> Iterator[Act]:
    for name in _names(without(where.tokens[1:], "TABLE")):
        yield ChangeRows(where, name, "truncate", everywhere=True)


def _change(where: Where) -> Iterator[Act]:
    """Read INSERT, UPDATE and DELETE, also those in or behind a WITH."""
    yield from _changed(where, where.tokens)
    for at, token in enumerate(where.tokens[:-1]):
        if token.text == "(" and where.tokens[at + 1].word in _WRITES:
            yield from _changed(where, bracketed(where.tokens[at:])[0])


def _changed(where: Where, tokens: Tokens) -> Iterator[Act]:
    level = outside_brackets(tokens)
    for at, token in enumerate(level):
        if token.word in _WRITES and not (at and level[at - 1].word in _CLAUSES):
            rest = without(without(without(level[at + 1 :], "FROM"), "INTO"), "ONLY")
            bounded = any(token.word == "WHERE" for token in rest)
            yield ChangeRows(where, qualified(rest)[0] or None, token.word.lower(), not bounded)
            return


def _alter(where: Where) -> Iterator[Act]:
    tokens = where.tokens
    if (table := ddl.table_of(tokens, "ALTER")) is not None:
        for action in split(table[1]):
            yield _action(where, table[0] or None, action)
    elif begins(tokens, "ALTER", "DOMAIN"):
        name, rest = qualified(tokens[2:])
        if begins(rest, "ADD") and (added := definitions.constraint(rest[1:])) is not None:
            yield AddConstraint(where, name, added, domain=True)


def _action(where: Where, table: str | None, action: Tokens) -> Act:
    """Return what one action of an ALTER TABLE does."""
    words = tuple(token.word for token in action[:6])
    reader = _ACTIONS.get(words[0])
    found = reader(where, table, action) if reader is not None else None
    return TableAction(where, table, words, action) if found is None else found


def _add(where: Where, table: str | None, action: Tokens) -> Act | None:
    rest = without(without(action[1:], "COLUMN"), "IF", "NOT", "EXISTS")
    if not rest:
        return None
    column = definitions.column(Element(table or "", rest))
    if column is not None:
        return AddColumn(where, table, column)
    constraint = definitions.constraint(rest)
    return None if constraint is None else AddConstraint(where, table, constraint)


def _drop_part(where: Where, table: str | None, action: Tokens) -> Act | None:
    constraint = begins(action, "DROP", "CONSTRAINT")
    rest = without(action[2:] if constraint else without(action[1:], "COLUMN"), "IF", "EXISTS")
    name = rest[0].name if rest else None
    return DropConstraint(where, table, name) if constraint else DropColumn(where, table, name)


def _alter_column(where: Where, table: str | None, action: Tokens) -> Act | None:
    rest = without(action[1:], "COLUMN")
    if begins(rest, "CONSTRAINT") or not rest:
        return None
    column, change = rest[0].name, without(rest[1:], "SET", "DATA")
    if begins(change, "TYPE"):
        kind, after = column_types.from_sql(change[1:])
        converts = any(token.word in {"USING", "COLLATE"} for token in outside_brackets(after))
        return AlterColumn(where, table, column, kind, converts)
    if begins(change, "SET", "NOT", "NULL"):
        return AlterColumn(where, table, column, required=True)
    if begins(change, "DROP", "NOT", "NULL"):
        return AlterColumn(where, table, column, required=False)
    return None


def _rename(where: Where, table: str | None, action: Tokens) -> Act | None:
    if begins(action, "RENAME", "CONSTRAINT"):
        return None
    if begins(action, "RENAME", "TO"):
        return RenameTable(where, table, action[2].name if action[2:] else "")
    rest = without(action[1:], "COLUMN")
    names = [token.name for token in rest if token.word != "TO"]
    return RenameColumn(where, table, names[0] if names else None, names[1] if names[1:] else None)


def _set(where: Where, table: str | None, action: Tokens) -> Act | None:
    if begins(action, "SET", "SCHEMA") and action[2:]:
        plain = (table or "").rpartition(".")[2]
        schema = action[2].name
        return RenameTable(where, table, plain if schema == "public" else f"{schema}.{plain}")
    return None


def _validate(where: Where, table: str | None, action: Tokens) -> Act | None:
    return ValidateConstraint(where, table, action[2].name) if action[2:] else None


_READERS: Final[Mapping[str, Callable[[Where], Iterator[Act]]]] = MappingProxyType(
    {
        "ALTER": _alter, "CREATE": _create, "DELETE": _change, "DROP": _drop, "INSERT": _change,
        "PERFORM": _select, "SELECT": _select, "TRUNCATE": _truncate, "UPDATE": _change, "WITH": _change,
    }
)  # fmt: skip
_ACTIONS: Final[Mapping[str, Callable[[Where, str | None, Tokens], Act | None]]] = MappingProxyType(
    {
        "ADD": _add, "ALTER": _alter_column, "DROP": _drop_part, "RENAME": _rename, "SET": _set,
        "VALIDATE": _validate,
    }
)  # fmt: skip
