"""A revision imports Alembic, SQLAlchemy and this package, and nothing else.

Why: a released revision has to run in ten years as it ran today. What it imports from an application changes
or goes away; a relative import fails, for Alembic loads a revision by path, outside any package.
Fix: write the few lines or values into the revision, or call a room of this package by its full name.
Not seen: a module reached as an attribute (`alembic.util.sys`), and what `getattr` or `__builtins__` give.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import syntax
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG013"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_ALLOWED: Final = frozenset({"__future__", "alembic", "spotify_ai_agent_migrations", "sqlalchemy"})
_CALLS: Final = frozenset({"__import__", "import_module"})
_RUNS: Final = frozenset({"compile", "eval", "exec"})
# What the allowed packages import for themselves, and would hand on.
_HANDED_ON: Final = frozenset(
    {"builtins", "importlib", "io", "os", "pathlib", "shutil", "socket", "subprocess", "sys"}
)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each other import, wherever it stands, and for code that is run from text."""
    for revision, _ in history.readable:
        for node in revision.nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _RUNS:
                yield _found(
                    revision.path,
                    f'"{revision.file_name}" calls "{node.func.id}"',
                    hint=f"write the code itself instead of {node.func.id}(…) in {revision.file_name}",
                    at=revision.place(node),
                )
            for name in _foreign(node):
                yield _found(
                    revision.path,
                    f'"{revision.file_name}" imports "{name}"',
                    hint=f"{_fix(name)} in {revision.file_name}",
                    at=revision.place(node),
                )


def _foreign(node: ast.AST) -> Iterator[str]:
    """Yield what *node* imports and a revision may not."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if not _is_allowed(alias.name))
    elif isinstance(node, ast.ImportFrom):
        name = "." * node.level + (node.module or "")
        if not _is_allowed(name):
            yield name
        else:
            yield from (f"{name}.{alias.name}" for alias in node.names if alias.name in _HANDED_ON)
    elif isinstance(node, ast.Call) and _called(node.func) in _CALLS:
        yield syntax.literal(syntax.argument(node, 0, "name")) or "a name made at run time"


def _is_allowed(name: str) -> bool:
    return name.partition(".")[0] in _ALLOWED


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _fix(name: str) -> str:
    room = name.lstrip(".")
    if name.startswith("."):
        return f'write "from spotify_ai_agent_migrations.versions.{room or "<room>"} import …"'
    if room.partition(".")[0] == "versions":
        return f'write "from spotify_ai_agent_migrations.{room} import …"'
    return f'remove the import of "{name}" and write what it gave'
