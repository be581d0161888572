"""Find the strings of a revision that may hold SQL, and split each into statements once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from spotify_ai_agent_migrations.versions.governance.bindings import children
from spotify_ai_agent_migrations.versions.governance.tokens import Tokens, statements

_SPEAKS: Final = re.compile(r"CREATE|ALTER|COMMENT|INTO", re.IGNORECASE)
_TOLD: Final = frozenset(
    {"print", "debug", "info", "warning", "warn", "error", "critical", "exception", "log"}
)


@dataclass(frozen=True)
class SqlText:
    """One string of a revision that may hold SQL; what is put in at run time, `unknown`, stands in braces."""

    node: ast.expr
    text: str
    unknown: tuple[ast.expr, ...] = ()

    @property
    def statements(self) -> tuple[Tokens, ...]:
        """Return the statements of the text, if it can define anything."""
        return self.every_statement if _SPEAKS.search(self.text) else ()

    @cached_property
    def every_statement(self) -> tuple[Tokens, ...]:
        """Return the statements of the text, whatever it is."""
        return tuple(statements(self.text))

    def line(self, offset: int) -> int | None:
        """Return the line on which *offset* stands, where the string spans lines as the source does."""
        lines = self.text.count("\n", 0, offset)
        spans = (self.node.end_lineno or self.node.lineno) - self.node.lineno
        return self.node.lineno + lines if 0 < lines <= spans else None


def sql_texts(tree: ast.Module) -> Iterator[SqlText]:
    """Yield every string of *tree* but the docstrings and what is only told: raised, printed or logged."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        terms = parts(node)
        if any(map(is_string, terms)):
            yield SqlText(terms[0], "".join(map(_written, terms)), tuple(_unknown(terms)))
            stack.extend(term for term in reversed(terms) if not is_string(term))
        elif not is_told(node):
            stack.extend(terms[::-1] or reversed(children(node)))


def parts(node: ast.AST) -> list[ast.expr]:
    """Return the terms of a sum from left to right, a string as its only term, and nothing else."""
    if isinstance(node, ast.Constant | ast.JoinedStr):
        return [node]
    terms: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        terms.append(node.right)
        node = node.left
    return [*([node] if terms and isinstance(node, ast.expr) else []), *reversed(terms)]


def is_string(node: ast.expr) -> bool:
    """Tell whether *node* is a string, an f-string included."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_told(node: ast.AST) -> bool:
    """Tell whether the strings inside *node* go to a reader, or are a docstring or a constant."""
    if isinstance(node, ast.Call):
        function = node.func
        return (
            function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        ) in _TOLD
    lone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return lone or isinstance(node, ast.Raise | ast.Constant)


def _unknown(terms: Iterable[ast.expr]) -> Iterator[ast.expr]:
    """Yield what is no literal among the terms of a sum, and what an f-string puts in."""
    for term in terms:
        if isinstance(term, ast.JoinedStr):
            yield from (part.value for part in term.values if isinstance(part, ast.FormattedValue))
        elif not is_string(term):
            yield term


def _written(node: ast.expr) -> str:
    """Return the text of a term; a name stands in braces, anything else is an ellipsis there."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_written, node.values))
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    return f"{{{inner.id}}}" if isinstance(inner, ast.Name) else "{…}"
