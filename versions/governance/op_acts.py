"""Read what Alembic's operations do, where a revision calls them. Runs nothing.

What is given by another name than a literal, a constant or a loop over literals is not known; keywords from
elsewhere (`**more`) are not seen, nor is what `op.execute` is given other than text.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance import bindings, syntax
from spotify_ai_agent_migrations.versions.governance.acts import (
    Act,
    AddColumn,
    AddConstraint,
    AlterColumn,
    ChangeRows,
    Constraint,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropIndex,
    DropTable,
    Index,
    Operation,
    RenameColumn,
    RenameTable,
    Where,
)
from spotify_ai_agent_migrations.versions.governance.column_types import ColumnType, from_sqlalchemy
from spotify_ai_agent_migrations.versions.governance.flow import Step
from spotify_ai_agent_migrations.versions.governance.op_columns import Reading
from spotify_ai_agent_migrations.versions.governance.syntax import argument, keyword

# These look, or are looked at by what they contain.
_SILENT: Final = frozenset(
    {"batch_alter_table", "execute", "f", "get_bind", "get_context", "implementation_for", "inline_literal",
     "invoke", "register_operation"}
)  # fmt: skip
_DEEPEST: Final = 5


def acts(step: Step, reading: Reading) -> Iterator[Act]:
    """Yield what the call of *step* does, if it is an operation: as itself, then as what is understood."""
    operation = step.call.operation() if step.call is not None else None
    if step.call is None or operation is None or operation in _SILENT:
        return
    where = Where(step)
    yield Operation(where, operation)
    reader = _READERS.get(operation)
    if reader is not None:
        yield from reader(_Reader(where, step.call.node, reading, in_batch=step.call.in_batch))


@dataclass(frozen=True)
class _Reader:
    """One call, and what its arguments are looked up in."""

    where: Where
    node: ast.Call
    reading: Reading
    in_batch: bool

    def tables(self, position: int = 0, *names: str) -> Iterator[str | None]:
        """Yield the tables that the call is about: one, or one for each turn of a loop."""
        if self.in_batch:
            assert self.where.step.call is not None
            yield self.where.step.call.table
            return
        given = argument(self.node, position, *(names or ("table_name",)))
        for name in self.names(given):
            yield self.qualified(name)

    def qualified(self, name: str | None, schema: str = "schema") -> str | None:
        """Return *name* after the schema that the call names, where that is not `public`."""
        home = self.text(keyword(self.node, schema))
        return name if name is None or home in {None, "public"} else f"{home}.{name}"

    def argument(self, position: int, *names: str) -> ast.expr | None:
        """Return an argument that comes after the table's name, which a batch leaves out."""
        return argument(self.node, position - self.in_batch, *names)

    def names(self, node: ast.expr | None, depth: int = 0) -> list[str | None]:
        """Return the texts that *node* may stand for; None for what is not known."""
        if (text := bindings.folded(node, self.reading.constants)) is not None:
            return [text]
        if isinstance(node, ast.Call) and node.args and depth < _DEEPEST:
            known = isinstance(node.func, ast.Name) and node.func.id in {
                "list",
                "reversed",
                "sorted",
                "tuple",
            }
            return self.names(node.args[0], depth + 1) if known or self._is_marked(node) else [None]
        if isinstance(node, ast.List | ast.Tuple | ast.Set) and depth < _DEEPEST:
            return [name for item in node.elts for name in self.names(item, depth + 1)] or [None]
        if isinstance(node, ast.Name) and depth < _DEEPEST:
            values = self.reading.values(self.where.step.around.function, node.id)
            return [name for value in values for name in self.names(value, depth + 1)] or [None]
        return [None]

    def _is_marked(self, node: ast.Call) -> bool:
        """Tell whether this is `op.f("name")`, which keeps a name as it is."""
        return syntax.dotted(node.func, self.reading.origins) == "alembic.op.f"

    def text(self, node: ast.expr | None) -> str | None:
        """Return the one text that *node* stands for."""
        found = self.names(node)
        return found[0] if len(found) == 1 else None

    def columns(self, node: ast.expr | None) -> tuple[str, ...]:
        """Return the names in a list, up to the first that is no name."""
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        found: list[str] = []
        for item in items:
            name = bindings.folded(item, self.reading.constants)
            if name is None:
                break
            found.append(name)
        return tuple(found)

    def flag(self, *names: str) -> bool:
        """Tell whether one of these keywords is given as True."""
        given = (keyword(self.node, name) for name in names)
        return any(isinstance(value, ast.Constant) and value.value is True for value in given)


def _create_table(read: _Reader) -> Iterator[Act]:
    items = read.node.args[1:] if keyword(read.node, "table_name") is None else read.node.args
    columns, constraints = read.reading.items(items)
    by = keyword(read.node, "postgresql_partition_by") is not None
    for table in read.tables():
        yield CreateTable(
            read.where, table, tuple(columns), tuple(constraints),
            partitioned=by, if_not_exists=read.flag("if_not_exists"),
        )  # fmt: skip


def _drop_table(read: _Reader) -> Iterator[Act]:
    yield from (DropTable(read.where, table) for table in read.tables())


def _add_column(read: _Reader) -> Iterator[Act]:
    given = read.argument(1, "column")
    columns, _ = read.reading.items([] if given is None else [given])
    for table in read.tables():
        yield from (AddColumn(read.where, table, column) for column in columns)


def _drop_column(read: _Reader) -> Iterator[Act]:
    for table in read.tables():
        for name in read.names(read.argument(1, "column_name")):
            yield DropColumn(read.where, table, name)


def _alter_column(read: _Reader) -> Iterator[Act]:
    name = read.text(read.argument(1, "column_name"))
    kind, existing = (
        from_sqlalchemy(value, read.reading.origins) if value is not None else None
        for value in (keyword(read.node, "type_"), keyword(read.node, "existing_type"))
    )
    nullable = keyword(read.node, "nullable")
    renamed = keyword(read.node, "new_column_name")
    for table in read.tables():
        if kind is not None:
            converts = keyword(read.node, "postgresql_using") is not None
            yield AlterColumn(read.where, table, name, kind, converts, existing=existing or ColumnType())
        if isinstance(nullable, ast.Constant) and isinstance(nullable.value, bool):
            yield AlterColumn(read.where, table, name, required=not nullable.value)
        if renamed is not None:
            yield RenameColumn(read.where, table, name, read.text(renamed))


def _create_index(read: _Reader) -> Iterator[Act]:
    name = read.text(argument(read.node, 0, "index_name"))
    columns = read.columns(read.argument(2, "columns"))
    method = syntax.literal(keyword(read.node, "postgresql_using")) or "btree"
    condition = keyword(read.node, "postgresql_where")
    covers = method in {"btree", "hash"} and (
        condition is None or read.reading.not_null(condition) in columns
    )
    concurrently = read.flag("postgresql_concurrently")
    for table in read.tables(1):
        index = Index(name, table or "", columns, read.flag("unique"), covers)
        yield CreateIndex(read.where, table, index, concurrently)


def _drop_index(read: _Reader) -> Iterator[Act]:
    concurrently = read.flag("postgresql_concurrently")
    table = next(read.tables(1), None)
    for name in read.names(argument(read.node, 0, "index_name")):
        yield DropIndex(read.where, table, read.qualified(name), concurrently)


def _drop_constraint(read: _Reader) -> Iterator[Act]:
    name = read.text(argument(read.node, 0, "constraint_name"))
    yield from (DropConstraint(read.where, table, name) for table in read.tables(1))


def _rename_table(read: _Reader) -> Iterator[Act]:
    to = read.qualified(read.text(argument(read.node, 1, "new_table_name")))
    for table in read.tables(0, "old_table_name"):
        yield RenameTable(read.where, table, to or "")


def _bulk_insert(read: _Reader) -> Iterator[Act]:
    yield ChangeRows(read.where, read.reading.table_name(argument(read.node, 0, "table")), "insert", True)


def _foreign_key(read: _Reader) -> Iterator[Act]:
    refers = read.text(read.argument(2, "referent_table"))
    made = Constraint(
        "fkey", read.text(argument(read.node, 0, "constraint_name")),
        columns=read.columns(read.argument(3, "local_cols")),
        refers=read.qualified(refers, "referent_schema"),
        not_valid=read.flag("postgresql_not_valid"),
    )  # fmt: skip
    for table in _tables_of_key(read):
        yield AddConstraint(read.where, table, made)


def _tables_of_key(read: _Reader) -> Iterator[str | None]:
    if read.in_batch:
        yield from read.tables()
    else:
        source = read.text(argument(read.node, 1, "source_table"))
        yield read.qualified(source, "source_schema")


def _check(read: _Reader) -> Iterator[Act]:
    condition = read.argument(2, "condition")
    made = Constraint(
        "check", read.text(argument(read.node, 0, "constraint_name")),
        not_valid=read.flag("postgresql_not_valid"),
        checks=read.reading.not_null(condition),
    )  # fmt: skip
    yield from (AddConstraint(read.where, table, made) for table in read.tables(1))


def _key(kind: str) -> Callable[[_Reader], Iterator[Act]]:
    """Return the reader of an operation that adds a key of this kind."""

    def read_key(read: _Reader) -> Iterator[Act]:
        columns = () if kind == "excl" else read.columns(read.argument(2, "columns"))
        made = Constraint(kind, read.text(argument(read.node, 0, "constraint_name")), columns)
        yield from (AddConstraint(read.where, table, made) for table in read.tables(1))

    return read_key


_READERS: Final[Mapping[str, Callable[[_Reader], Iterator[Act]]]] = MappingProxyType(
    {
        "add_column": _add_column,
        "alter_column": _alter_column,
        "bulk_insert": _bulk_insert,
        "create_check_constraint": _check,
        "create_exclude_constraint": _key("excl"),
        "create_foreign_key": _foreign_key,
        "create_index": _create_index,
        "create_primary_key": _key("pkey"),
        "create_table": _create_table,
        "create_unique_constraint": _key("key"),
        "drop_column": _drop_column,
        "drop_constraint": _drop_constraint,
        "drop_index": _drop_index,
        "drop_table": _drop_table,
        "rename_table": _rename_table,
    }
)
