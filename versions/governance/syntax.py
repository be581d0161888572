"""Read a parsed revision: what a name was imported as, what is called, on which table. Runs nothing.

Names are followed through imports (anywhere in the file, aliases and `*` included), through plain
assignments (`Column = sa.Column`) and through `with op.batch_alter_table(…) as batch`.
What is reached another way (`getattr`, a dictionary, a parameter) is not seen, nor is a temporary table.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeGuard

from spotify_ai_agent_migrations.versions.governance.bindings import assigned, children

_BATCH: Final = "alembic.batch"
_ONLINE: Final = frozenset(
    {
        "spotify_ai_agent_migrations.ops",
        "spotify_ai_agent_migrations.versions.zero_downtime_migration.ops",
    }
)
_BATCH_CONTEXT: Final = "alembic.batch_context"
_STARRED: Final = (
    "Boolean", "CheckConstraint", "Column", "Enum", "ExcludeConstraint", "ForeignKey", "ForeignKeyConstraint",
    "Index", "PrimaryKeyConstraint", "UniqueConstraint", "add_column", "batch_alter_table", "create_table",
    "op",
)  # fmt: skip
_TABLE_SECOND: Final = frozenset(
    f"alembic.op.create_{thing}"
    for thing in (
        "check_constraint", "exclude_constraint", "foreign_key", "index", "primary_key", "unique_constraint"
    )
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A call, the full name of what is called, and the table it is about where that is written there.

    The operations of a batch are called `alembic.batch.…`; a name that is not imported is empty.
    """

    node: ast.Call
    name: str
    table: str | None

    @property
    def is_column(self) -> bool:
        """Tell whether this builds a column."""
        return self.is_sqlalchemy("Column")

    def is_sqlalchemy(self, *names: str) -> bool:
        """Tell whether this is one of SQLAlchemy's *names*, whichever of its modules it came from."""
        parts = self.name.split(".")
        return parts[0] == "sqlalchemy" and parts[-1] in names

    def operation(self) -> str | None:
        """Return the name of the Alembic operation, of `op` or of a batch, if it is one."""
        owner, _, verb = self.name.rpartition(".")
        return verb if owner in {"alembic.op", _BATCH} else None

    def online(self) -> str | None:
        """Return the name of the operation of `ops`, which changes live tables, if it is one."""
        owner, _, verb = self.name.rpartition(".")
        return verb if owner in _ONLINE else None

    @property
    def in_batch(self) -> bool:
        """Tell whether this is an operation of a batch, whose table is named once for all."""
        return self.name.startswith(f"{_BATCH}.")


def calls(tree: ast.Module, names: Mapping[str, str]) -> tuple[Call, ...]:
    """Return every call of the file, whose `origins` are *names*."""
    return tuple(_calls(tree, names))


def origins(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Return the full name behind each name of the file that was imported, assigned or bound to a batch."""
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(_imported(node))
        elif isinstance(node, ast.With):
            found.update(_batches(node, found))
        for name, value in assigned(node):
            if origin := dotted(value, found):
                found[name] = origin
            elif _is_batch_call(value, found):
                found[name] = _BATCH_CONTEXT
    return found


def dotted(node: ast.expr, names: Mapping[str, str]) -> str:
    """Return the full name of *node*, or nothing where its first part is not in *names*."""
    rest = []
    while isinstance(node, ast.Attribute):
        rest.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return ""
    return ".".join([names[node.id], *reversed(rest)])


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return the value given for keyword *name*, also in a literal `**{…}`."""
    return next((value for given in call.keywords for key, value in _given(given) if key == name), None)


def argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """Return the value given at *position*, or under one of the keywords *names*."""
    if position < len(call.args) and not any(isinstance(a, ast.Starred) for a in call.args[: position + 1]):
        return call.args[position]
    return next((value for name in names if (value := keyword(call, name)) is not None), None)


def hides_keywords(call: ast.Call) -> bool:
    """Tell whether the call takes keywords from somewhere else (`**more`)."""
    return any(given.arg is None and not isinstance(given.value, ast.Dict) for given in call.keywords)


def literal(node: ast.expr | None) -> str | None:
    """Return the text of a string literal."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def literals(node: ast.expr | None) -> list[str | None]:
    """Return the texts of a list or tuple; None stands for an item that is not a literal."""
    return [literal(item) for item in node.elts] if isinstance(node, ast.List | ast.Tuple) else []


def _given(keyword: ast.keyword) -> Iterator[tuple[str | None, ast.expr]]:
    if keyword.arg is not None:
        yield keyword.arg, keyword.value
    elif isinstance(keyword.value, ast.Dict):
        yield from zip(map(literal, keyword.value.keys), keyword.value.values, strict=True)


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield the names an import binds; a relative one has no full name."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            first = alias.name.partition(".")[0]
            yield (alias.asname, alias.name) if alias.asname else (first, first)
    elif node.module and not node.level:
        for alias in node.names:
            for name in _STARRED if alias.name == "*" else (alias.name,):
                yield alias.asname or name, f"{node.module}.{name}"


def _batches(node: ast.With, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for item in node.items:
        made = item.context_expr
        known = _is_batch_call(made, names) or dotted(made, names) == _BATCH_CONTEXT
        if known and isinstance(item.optional_vars, ast.Name):
            yield item.optional_vars.id, _BATCH


def _is_batch_call(made: ast.expr, names: Mapping[str, str]) -> TypeGuard[ast.Call]:
    return isinstance(made, ast.Call) and dotted(made.func, names) == "alembic.op.batch_alter_table"


def _calls(tree: ast.Module, names: Mapping[str, str]) -> Iterator[Call]:
    """Walk the tree with the table each node is about; a stack, for a long sum is a deep tree."""
    stack: list[tuple[ast.AST, str | None]] = [(tree, None)]
    while stack:
        node, table = stack.pop()
        if isinstance(node, ast.Call):
            name = dotted(node.func, names)
            if _is_temporary(node, name):
                continue
            table = _table(node, name) or table
            yield Call(node, name, table)
        elif isinstance(node, ast.With):
            opened = (item.context_expr for item in node.items)
            made = [call for call in opened if _is_batch_call(call, names)]
            table = _qualified(made[0], argument(made[0], 0, "table_name")) if made else table
        stack.extend((child, table) for child in children(node))


def _table(call: ast.Call, name: str) -> str | None:
    if name in {"alembic.op.create_table", "alembic.op.add_column", "alembic.op.alter_column"}:
        return _qualified(call, argument(call, 0, "table_name"))
    if name in _TABLE_SECOND:
        return _qualified(call, argument(call, 1, "table_name", "source_table"))
    if name.startswith("sqlalchemy.") and name.endswith(".Table"):
        return _qualified(call, argument(call, 0, "name"))
    return None


def _qualified(call: ast.Call, named: ast.expr | None) -> str | None:
    """Return the table's name, after its schema where that is written and is not `public`."""
    name, schema = literal(named), literal(keyword(call, "schema"))
    return name if name is None or schema in {None, "public"} else f"{schema}.{name}"


def _is_temporary(call: ast.Call, name: str) -> bool:
    """Tell whether the call creates a table that goes away with the session."""
    prefixes = literals(keyword(call, "prefixes"))
    return name == "alembic.op.create_table" and bool({"TEMP", "TEMPORARY"} & {*prefixes})
