"""A revision has an `upgrade()` and a `downgrade()`, and both do something.

Why: an empty `downgrade()` moves the version back and leaves the schema where it was; the next `upgrade()`
fails on it. Alembic calls both without an argument.
Fix: write the inverse of `upgrade()`, or `raise` with the reason why there is none.
Not seen: whether what is called changes the database.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final, TypeGuard

from spotify_ai_agent_migrations.versions.governance import bindings
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG012"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
# An import counts, for it runs a module; which one is the business of another rule.
_ACTS: Final = (ast.Assert, ast.Call, ast.Import, ast.ImportFrom, ast.Raise)
_FIXES: Final = (
    ("upgrade", "write what upgrade() changes"),
    ("downgrade", "write the inverse of upgrade(), or raise with the reason why there is none,"),
)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each of the two that is missing, cannot be called or does nothing."""
    for revision, tree in history.readable:
        made = bindings.functions(tree)
        for name, fix in _FIXES:
            for again in revision.rebindings(name):
                yield _found(
                    revision.path,
                    f'"{name}" is bound more than once',
                    hint=f"keep one def {name}() -> None: in {revision.file_name}",
                    at=revision.place(again),
                )
            function = made.get(name)
            if function is None:
                yield _found(
                    revision.path,
                    f'"{revision.file_name}" defines no "{name}"',
                    hint=f"write def {name}() -> None: in {revision.file_name}",
                )
            elif not isinstance(function, ast.FunctionDef) or _takes_arguments(function.args):
                yield _found(
                    revision.path,
                    f'"{name}" cannot be called as {name}()',
                    hint=f"write def {name}() -> None: in {revision.file_name}",
                    at=revision.place(function),
                )
            elif any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own(function)):
                yield _found(
                    revision.path,
                    f'"{name}" is a generator, and calling it runs nothing',
                    hint=f"remove the yield from {name}() in {revision.file_name}",
                    at=revision.place(function),
                )
            elif not _acts(function.body):
                yield _found(
                    revision.path,
                    f'"{name}" does nothing',
                    hint=f"{fix} in {revision.file_name}",
                    at=revision.place(function),
                )


def _takes_arguments(arguments: ast.arguments) -> bool:
    """Tell whether there is an argument without a default."""
    positional = len(arguments.posonlyargs) + len(arguments.args) > len(arguments.defaults)
    return positional or None in arguments.kw_defaults


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    return bindings.walk_scope(function.body)


def _acts(body: Sequence[ast.stmt]) -> bool:
    """Tell whether *body* calls, raises or asserts anything before it returns."""
    for statement in body:
        if _is_constant_if(statement):
            taken = statement.body if statement.test.value else statement.orelse
            acts = _acts(taken)
        else:
            acts = any(isinstance(node, _ACTS) for node in bindings.walk_scope([statement]))
        if acts or isinstance(statement, ast.Return):
            return acts
    return False


def _is_constant_if(statement: ast.stmt) -> TypeGuard[_ConstantIf]:
    return isinstance(statement, ast.If) and isinstance(statement.test, ast.Constant)


class _ConstantIf(ast.If):
    """An `if` whose branch is known without running it."""

    test: ast.Constant
