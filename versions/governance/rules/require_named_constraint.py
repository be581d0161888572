"""Every constraint and every index that an operation creates has a name, of at most 63 bytes.

Why: a later revision drops it by name, an error message names it, and a name that PostgreSQL chose may differ
from one database to the next. `primary_key=True`, `unique=True` and `index=True` leave the choice to others.
Fix: write the name, `{table}_{column}_{pkey|key|fkey|check|excl|idx}`, in the constraint:

    sa.UniqueConstraint("email", name="users_email_key")

Not seen: keywords from elsewhere (`**more`, but for a literal), and a name that is computed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from spotify_ai_agent_migrations.versions.governance import naming, syntax
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.syntax import Call

CODE = "MIG016"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
# What is built, its kind, and where a name may stand among the positional arguments.
_BUILT: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "PrimaryKeyConstraint": ("pkey", 99),
        "UniqueConstraint": ("key", 99),
        "ForeignKeyConstraint": ("fkey", 2),
        "ForeignKey": ("fkey", 99),
        "CheckConstraint": ("check", 1),
        "ExcludeConstraint": ("excl", 99),
        "Index": ("idx", 0),
    }
)
# The operation, its kind, and where its columns stand when the table comes second.
_OPERATIONS: Final[Mapping[str, tuple[str, int]]] = MappingProxyType(
    {
        "create_primary_key": ("pkey", 2),
        "create_unique_constraint": ("key", 2),
        "create_foreign_key": ("fkey", 3),
        "create_check_constraint": ("check", 99),
        "create_exclude_constraint": ("excl", 99),
        "create_index": ("idx", 2),
    }
)
_FLAGS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "primary_key": ("pkey", 'sa.PrimaryKeyConstraint("{column}", name="{name}")'),
        "unique": ("key", 'sa.UniqueConstraint("{column}", name="{name}")'),
        "index": ("idx", 'op.create_index("{name}", "{table}", ["{column}"])'),
    }
)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each constraint or index without a name, or with one that is too long."""
    for revision in history.revisions:
        calls = revision.calls
        inside = {node: _name_of(call) for call in calls if call.is_column for node in call.node.args}
        for call in calls:
            built = call.name.rpartition(".")[2]
            if call.is_column:
                yield from _flags(revision, call)
            elif call.is_sqlalchemy(*_BUILT):
                kind, position = _BUILT[built]
                named = syntax.argument(call.node, position, "name")
                columns = _columns(call.node, built) or [inside[n] for n in [call.node] if n in inside]
                yield from _named(revision, call, kind, named, columns)
            elif _makes_check(call):
                named = syntax.argument(call.node, 1 if built == "Boolean" else 99, "name")
                yield from _named(revision, call, "check", named, [])
            elif (operation := call.operation()) in _OPERATIONS:
                kind, position = _OPERATIONS[operation or ""]
                named = syntax.argument(call.node, 0, "constraint_name", "index_name")
                listed = syntax.argument(call.node, position - call.in_batch, "columns", "local_cols")
                yield from _named(revision, call, kind, named, syntax.literals(listed))


def _named(
    revision: Revision, call: Call, kind: str, named: ast.expr | None, columns: list[str | None]
) -> Iterator[Finding]:
    """Yield a finding if *named* is no name, or a literal that is too long."""
    problem, hint = naming.too_long(_text(named)), f"shorten it in {revision.file_name}"
    if _is_nothing(named, revision.bindings):
        problem = naming.unnamed(kind, call.table, columns)
        wanted = naming.suggested(kind, call.table, columns)
        what = f"op.{call.operation()}" if call.operation() else f"sa.{call.name.rpartition('.')[2]}"
        shown = f'{what}("{wanted}", …)' if call.operation() else f'{what}(…, name="{wanted}")'
        hint = f"write {shown} in {revision.file_name}"
    if problem is not None:
        yield _found(revision.path, problem, hint=hint, at=revision.place(call.node))


def _flags(revision: Revision, call: Call) -> Iterator[Finding]:
    """Yield a finding for each flag of a column that makes something without a name."""
    column = _name_of(call)
    for flag, (kind, fix) in _FLAGS.items():
        given = syntax.keyword(call.node, flag)
        if given is None or (isinstance(given, ast.Constant) and not given.value):
            continue
        instead = fix.format(
            column=column or "<column>",
            table=call.table or "<table>",
            name=naming.suggested(kind, call.table, [column]),
        )
        yield _found(
            revision.path,
            naming.unnamed(kind, call.table, [column]),
            hint=f"write {instead} instead of {flag}=True in {revision.file_name}",
            at=revision.place(given),
        )


def _name_of(column: Call) -> str | None:
    return syntax.literal(syntax.argument(column.node, 0, "name"))


def _columns(node: ast.Call, built: str) -> list[str | None]:
    """Return the columns a constraint is about, as far as they are written."""
    if built in {"PrimaryKeyConstraint", "UniqueConstraint"}:
        return [syntax.literal(item) for item in node.args]
    if built == "ForeignKeyConstraint":
        return syntax.literals(syntax.argument(node, 0, "columns"))
    return [syntax.literal(item) for item in node.args[1:]] if built == "Index" else []


def _makes_check(call: Call) -> bool:
    """Tell whether this is a type that brings a check constraint with it."""
    created = syntax.argument(call.node, 0 if call.is_sqlalchemy("Boolean") else 99, "create_constraint")
    if not (isinstance(created, ast.Constant) and created.value):
        return False
    native = syntax.keyword(call.node, "native_enum")
    is_text = isinstance(native, ast.Constant) and not native.value
    return call.is_sqlalchemy("Boolean") or (call.is_sqlalchemy("Enum") and is_text)


def _function(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_nothing(named: ast.expr | None, bound: Mapping[str, list[ast.expr]]) -> bool:
    """Tell whether a name is None or empty, also in `op.f(…)` and through a variable."""
    if isinstance(named, ast.Call) and named.args and _function(named) in {"conv", "f"}:
        return _is_nothing(named.args[0], bound)
    if isinstance(named, ast.Name):
        values = bound.get(named.id, [])
        return bool(values) and all(isinstance(value, ast.Constant) and not value.value for value in values)
    return named is None or (isinstance(named, ast.Constant) and not named.value)


def _text(named: ast.expr | None) -> str | None:
    """Return a literal name, also one in `op.f(…)` or `conv(…)`."""
    if isinstance(named, ast.Call):
        return syntax.literal(syntax.argument(named, 0, "name"))
    return syntax.literal(named)
