"""Read the columns and constraints that a revision builds with SQLAlchemy. Runs nothing.

A column or a constraint is found where it stands among the arguments, in a list, in a name of the file, or in
what a function of the same file returns.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from spotify_ai_agent_migrations.versions.governance import bindings, definitions, syntax, tokens
from spotify_ai_agent_migrations.versions.governance.acts import Column, Constraint, Default
from spotify_ai_agent_migrations.versions.governance.column_types import from_sqlalchemy
from spotify_ai_agent_migrations.versions.governance.flow import Source
from spotify_ai_agent_migrations.versions.governance.syntax import Call, argument, keyword

_BUILT: Final = {
    "CheckConstraint": "check", "ExcludeConstraint": "excl", "ForeignKey": "fkey",
    "ForeignKeyConstraint": "fkey", "PrimaryKeyConstraint": "pkey", "UniqueConstraint": "key",
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One revision, and what was already looked up in it."""

    source: Source
    constants: Mapping[str, str]
    _scopes: dict[str, dict[str, list[ast.expr]]] = field(default_factory=dict)
    _returned: dict[str, tuple[Call, ...]] = field(default_factory=dict)

    @property
    def origins(self) -> Mapping[str, str]:
        """Return the full names behind the names of the file."""
        return self.source.origins

    def values(self, function: str, name: str) -> Sequence[ast.expr]:
        """Return what *name* is given in a function, else at the top of the module."""
        if function not in self._scopes:
            body = self.source.functions.get(function)
            self._scopes[function] = bindings.bindings(bindings.walk(body)) if body else {}
        own = self._scopes[function].get(name)
        value = self.source.values.get(name)
        return own if own is not None else [] if value is None else [value]

    def items(self, nodes: Sequence[ast.expr]) -> tuple[list[Column], list[Constraint]]:
        """Return the columns and the constraints among the arguments of an operation."""
        columns: list[Column] = []
        constraints: list[Constraint] = []
        for call in (call for node in nodes for call in self._calls(node, frozenset())):
            if call.is_column:
                columns.append(self._column(call))
            elif (made := self._constraint(call)) is not None:
                constraints.append(made)
        return columns, constraints

    def not_null(self, condition: ast.expr | None) -> str | None:
        """Return the column, if all that *condition* asks is that it is not NULL."""
        text = self._text(condition)
        return None if text is None else definitions.not_null(next(tokens.statements(text)))

    def table_name(self, node: ast.expr | None) -> str | None:
        """Return the name of a `sa.table(…)`, also behind a name."""
        if isinstance(node, ast.Name):
            values = self.source.bound.get(node.id, ())
            node = values[0] if len(values) == 1 else None
        return syntax.literal(argument(node, 0, "name")) if isinstance(node, ast.Call) else None

    def _calls(self, node: ast.expr, through: frozenset[str]) -> Iterator[Call]:
        """Yield the columns and constraints behind an argument, having come *through* these names."""
        if isinstance(node, ast.Starred):
            yield from self._calls(node.value, through)
        elif isinstance(node, ast.List | ast.Tuple):
            for item in node.elts:
                yield from self._calls(item, through)
        elif isinstance(node, ast.ListComp | ast.GeneratorExp):
            yield from self._calls(node.elt, through)
        elif isinstance(node, ast.Name) and node.id not in through:
            for value in self.source.bound.get(node.id, ()):
                yield from self._calls(value, through | {node.id})
        elif isinstance(node, ast.Call):
            yield from self._call(node, through)

    def _call(self, node: ast.Call, through: frozenset[str]) -> Iterator[Call]:
        call = self.source.calls.get(node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if call is not None and call.is_sqlalchemy("Column", *_BUILT):
            yield call
        elif name in {"list", "tuple"} and node.args:
            yield from self._calls(node.args[0], through)
        elif name in self.source.functions and name not in through:
            if name not in self._returned:
                self._returned[name] = tuple(self._returns(name, through | {name}))
            yield from self._returned[name]

    def _returns(self, name: str, through: frozenset[str]) -> Iterator[Call]:
        for node in ast.walk(self.source.functions[name]):
            if isinstance(node, ast.Return) and node.value is not None:
                yield from self._calls(node.value, through)

    def _column(self, call: Call) -> Column:
        node = call.node
        name = syntax.literal(argument(node, 0, "name"))
        rest = [item for item in node.args if not isinstance(item, ast.Starred)][name is not None :]
        kind = next((item for item in rest if not self._is_part(item)), keyword(node, "type_"))
        nullable = keyword(node, "nullable")
        return Column(
            name or "…",
            from_sqlalchemy(kind, self.origins),
            required=isinstance(nullable, ast.Constant) and nullable.value is False,
            default=self._default(node),
            constraints=tuple(self._inline(node)),
            comment=bindings.folded(keyword(node, "comment"), self.constants),
            autoincrement=_flag(keyword(node, "autoincrement")),
            part=node,
        )

    def _is_part(self, node: ast.expr) -> bool:
        """Tell whether an argument of a column is something else than its type."""
        return self._last(node) in {*_BUILT, "Computed", "FetchedValue", "Identity", "Sequence"}

    def _last(self, node: ast.expr) -> str:
        origin = syntax.dotted(node.func, self.origins) if isinstance(node, ast.Call) else ""
        return origin.rpartition(".")[2] if origin.startswith("sqlalchemy.") else ""

    def _default(self, node: ast.Call) -> Default | None:
        for item in (item for item in node.args if isinstance(item, ast.Call)):
            if (last := self._last(item)) in {"Identity", "Sequence"}:
                return Default("sequence")
            if last == "Computed":
                return Default("virtual" if _flag(argument(item, 1, "persisted")) is False else "stored")
        given = keyword(node, "server_default")
        if given is None or (isinstance(given, ast.Constant) and given.value is None):
            return None
        return Default("value", tuple(self._functions(given)), ast.unparse(given))

    def _functions(self, given: ast.expr) -> Iterator[str]:
        """Yield the functions that a `server_default` calls; a plain string is a literal."""
        for part in ast.walk(given):
            if isinstance(part, ast.Call):
                origin = syntax.dotted(part.func, self.origins)
                if origin.startswith("sqlalchemy.") and ".func." in origin:
                    yield origin.partition(".func.")[2]
                elif origin.startswith("sqlalchemy.") and origin.endswith(".text"):
                    text = bindings.folded(argument(part, 0, "text"), self.constants) or ""
                    yield from definitions.functions(next(tokens.statements(text)))

    def _inline(self, node: ast.Call) -> Iterator[Constraint]:
        for flag, kind in (("primary_key", "pkey"), ("unique", "key"), ("index", "idx")):
            if _flag(keyword(node, flag)):
                yield Constraint(kind, part=keyword(node, flag))
        for item in node.args:
            call = self.source.calls.get(item) if isinstance(item, ast.Call) else None
            if call is not None and (made := self._constraint(call)) is not None:
                yield made

    def _constraint(self, call: Call) -> Constraint | None:
        kind = _BUILT.get(call.name.rpartition(".")[2])
        node = call.node
        if kind is None:
            return None
        name = syntax.literal(keyword(node, "name"))
        if kind == "check":
            return Constraint(kind, name, checks=self.not_null(argument(node, 0, "sqltext")), part=node)
        if kind in {"pkey", "key"}:
            return Constraint(kind, name, _known(map(syntax.literal, node.args)), part=node)
        if kind == "excl":
            return Constraint(kind, name, part=node)
        is_list = call.is_sqlalchemy("ForeignKeyConstraint")
        columns = _known(syntax.literals(argument(node, 0, "columns"))) if is_list else ()
        target = argument(node, 1, "refcolumns") if is_list else argument(node, 0, "column")
        named = syntax.literals(target)[:1] if is_list else [syntax.literal(target)]
        refers = (named[0] or "").rpartition(".")[0].removeprefix("public.") if named else ""
        cascades = (syntax.literal(keyword(node, "ondelete")) or "").upper() == "CASCADE"
        return Constraint(kind, name, columns, refers or None, cascades=cascades, part=node)

    def _text(self, node: ast.expr | None) -> str | None:
        """Return the SQL of a condition: a string, or one in `text(…)`."""
        if isinstance(node, ast.Call) and self._last(node) == "text":
            node = argument(node, 0, "text")
        return bindings.folded(node, self.constants)


def _flag(node: ast.expr | None) -> bool | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, bool) else None


def _known(names: Iterator[str | None] | Sequence[str | None]) -> tuple[str, ...]:
    return tuple(name for name in names if name is not None)
