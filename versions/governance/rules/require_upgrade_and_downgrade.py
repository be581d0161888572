"""A revision has an `upgrade()` and a `downgrade()`, and both do something.

Why: an empty `downgrade()` moves the version back and leaves the schema where it was; the next `upgrade()`
fails on it. Alembic calls both without an argument.
Fix: write the inverse of `upgrade()`, or `raise` with the reason why there is none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import syntax
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG012"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_FIXES: Final = (
    ("upgrade", "write what upgrade() changes"),
    ("downgrade", "write the inverse of upgrade(), or raise with the reason why there is none,"),
)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each of the two that is missing, cannot be called or does nothing."""
    for revision, tree in history.readable:
        made = syntax.functions(tree)
        for name, fix in _FIXES:
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
            elif all(map(_does_nothing, function.body)):
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


def _does_nothing(statement: ast.stmt) -> bool:
    """Tell whether this is `pass`, a docstring, `...` or a `return` of nothing."""
    if isinstance(statement, ast.Return):
        return statement.value is None
    lone = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return lone or isinstance(statement, ast.Pass)
