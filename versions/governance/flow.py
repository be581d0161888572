"""Follow `upgrade()` or `downgrade()` through a revision: what it comes to, in the order in which it would.

Functions and values of the same file are followed to where they are written, each once; both branches of an
`if` are taken. What is reached another way (a parameter, `getattr`, another module) is not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from spotify_ai_agent_migrations.versions.governance import bindings, syntax
from spotify_ai_agent_migrations.versions.governance.strings import SqlText, is_string, is_told, parts
from spotify_ai_agent_migrations.versions.governance.syntax import Call

AS_OWNER: Final = "spotify_ai_agent_migrations.versions.core.ddl.as_owner"
# Of all that SQLAlchemy and Alembic are called with, these alone are statements.
_EXECUTED: Final = frozenset({"DDL", "execute", "text"})


class Around(NamedTuple):
    """What a step stands in: a block outside of transactions, the owner role, and a function."""

    autocommit: bool = False
    as_owner: bool = False
    executed: bool = True
    function: str = ""


@dataclass(frozen=True)
class Step:
    """A call, or a string that may be a statement; the call comes after what it is given."""

    node: ast.expr
    around: Around
    call: Call | None = None
    text: SqlText | None = None


@dataclass(frozen=True)
class Source:
    """What a walk looks things up in: the parts of one revision."""

    tree: ast.Module
    origins: Mapping[str, str]
    calls: Mapping[ast.Call, Call]
    texts: Mapping[ast.expr, SqlText]
    bound: Mapping[str, Sequence[ast.expr]]
    functions: Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef] = field(init=False)
    classes: Mapping[str, ast.ClassDef] = field(init=False)
    values: Mapping[str, ast.expr] = field(init=False)

    def __post_init__(self) -> None:
        """Find the functions, the classes and the values of the module."""
        object.__setattr__(self, "functions", bindings.functions(self.tree))
        object.__setattr__(self, "values", bindings.assignments(self.tree))
        made = {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}
        object.__setattr__(self, "classes", made)


def steps(source: Source, function: str) -> Iterator[Step]:
    """Yield what *function* of the module comes to; nothing where there is no such function."""
    if (start := source.functions.get(function)) is not None:
        yield from _Walk(source).run(start)


class _Walk:
    """One walk, with a stack instead of recursion: a long sum is a deep tree."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._seen: set[tuple[str, bool]] = set()
        self._stack: list[tuple[ast.AST | Step, Around]] = []

    def run(self, start: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Step]:
        self._seen.add((start.name, True))
        self._push(start.body, Around(function=start.name))
        while self._stack:
            node, around = self._stack.pop()
            if isinstance(node, Step):
                yield node
            elif isinstance(node, ast.With):
                self._enter(node, around)
            elif isinstance(node, ast.Call):
                self._call(node, around)
            elif isinstance(node, ast.Name):
                self._name(node, around)
            elif any(map(is_string, terms := parts(node))):
                yield from self._string(terms, around)
            elif not is_told(node):
                self._push(terms or bindings.children(node), around)

    def _push(self, nodes: Sequence[ast.AST], around: Around) -> None:
        self._stack += [(node, around) for node in reversed(nodes)]

    def _enter(self, node: ast.With, around: Around) -> None:
        """Go into a `with`, by way of what it opens."""
        inside = around
        for item in node.items:
            if self._is_autocommit(item.context_expr):
                inside = inside._replace(autocommit=True)
            elif self._is_owner(item.context_expr):
                inside = inside._replace(as_owner=True)
        self._push(node.body, inside)
        self._push([item.context_expr for item in node.items], around)

    def _is_autocommit(self, opened: ast.expr) -> bool:
        if isinstance(opened, ast.Name):
            values = self._source.bound.get(opened.id, ())
            return any(self._is_autocommit(value) for value in values if not isinstance(value, ast.Name))
        function = opened.func if isinstance(opened, ast.Call) else None
        return isinstance(function, ast.Attribute) and function.attr == "autocommit_block"

    def _is_owner(self, opened: ast.expr) -> bool:
        function = opened.func if isinstance(opened, ast.Call) else None
        return function is not None and syntax.dotted(function, self._source.origins) == AS_OWNER

    def _call(self, node: ast.Call, around: Around) -> None:
        """Come to what a call is given, then to the call, then to its function where that is written here."""
        if is_told(node):
            return
        call = self._source.calls.get(node)
        name = call.name if call is not None else ""
        # What `ops` is given are names, and parts of statements.
        known = name.startswith(("sqlalchemy.", "alembic.")) or (call is not None and bool(call.online()))
        inside = around._replace(
            executed=around.executed and (not known or name.rpartition(".")[2] in _EXECUTED)
        )
        if isinstance(node.func, ast.Name):
            self._push([node.func], around)
        if call is not None:
            self._stack.append((Step(node, around, call=call), around))
        self._push([*node.args, *(given.value for given in node.keywords)], inside)
        if not isinstance(node.func, ast.Name):
            self._push([node.func], around)

    def _name(self, node: ast.Name, around: Around) -> None:
        """Come to what a name of the module stands for, the first time: a function, a class or a value."""
        key = (node.id, around.executed)
        if not isinstance(node.ctx, ast.Load) or key in self._seen:
            return
        self._seen.add(key)
        function, value = self._source.functions.get(node.id), self._source.values.get(node.id)
        if function is not None:
            self._push(function.body, around._replace(function=node.id))
        elif node.id in self._source.classes:
            self._push(self._source.classes[node.id].body, around)
        elif value is not None:
            self._push([value], around)

    def _string(self, terms: Sequence[ast.expr], around: Around) -> Iterator[Step]:
        text = self._source.texts.get(terms[0])
        if text is not None and around.executed:
            yield Step(terms[0], around, text=text)
        for term in reversed(terms):
            if isinstance(term, ast.JoinedStr):
                self._push(bindings.children(term), around._replace(executed=False))
            elif not is_string(term):
                self._push([term], around)
