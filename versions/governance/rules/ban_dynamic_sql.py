"""Every statement is written out: as a literal, a sum of literals, or a constant of the module.

Why: an f-string, `%`, `format`, `join` or `replace` makes a statement that no reviewer and no other rule
can read, and a name with a quote in it makes two statements of one.
Fix: write one statement for each name, or let the server quote it inside of a `DO`:

    execute("DO $$ BEGIN EXECUTE format('DROP TABLE %I', 'plans'); END $$")

Not seen: what a function is given (`def run(sql): execute(sql)`), though a string that is put together is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import bindings
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.strings import is_told, parts

CODE = "MIG021"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_VERB: Final = re.compile(
    r"(?:\s|--[^\n]*\n)*"
    r"(?:ALTER|ANALYZE|CALL|CLUSTER|COMMENT ON|COPY|CREATE|DELETE FROM|DO|DROP|GRANT|INSERT INTO|LOCK|MERGE"
    r"|REFRESH|REINDEX|REVOKE|SELECT|SET|TRUNCATE|UPDATE|VACUUM|WITH)\s",
    re.IGNORECASE,
)
_BUILDS: Final = frozenset({"format", "format_map", "join", "replace"})
_EXECUTE: Final = frozenset({"execute", "exec_driver_sql", "text"})


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each statement that is put together at run time."""
    for revision in history.revisions:
        for node in _built(revision):
            yield _found(
                revision.path,
                "a statement is put together at run time, and nobody can read it before",
                hint=f'write execute("…") with the whole text, once for each name, in {revision.file_name}',
                at=revision.place(node),
            )


def _built(revision: Revision) -> Iterator[ast.expr]:
    given = {call.node.args[0] for call in revision.calls if _executes(call.node)}
    first = {terms[0] for node in given if (terms := parts(node))}
    for text in revision.sql_texts:
        unknown = any(bindings.folded(node, revision.constants) is None for node in text.unknown)
        if unknown and (text.node in first or _VERB.match(text.text)):
            yield text.node
    for node in revision.nodes:
        template = _template(node)
        if template is None or not isinstance(node, ast.expr):
            continue
        text_of = bindings.folded(template, revision.constants)
        speaks = text_of is not None and _VERB.match(text_of) is not None
        if text_of is not None and (node in given or (speaks and not _is_told(revision, node))):
            yield node


def _executes(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in _EXECUTE and bool(call.args)


def _template(node: ast.AST) -> ast.expr | None:
    """Return what `%` or a method of strings puts something into."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return node.left
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _BUILDS:
        return node.func.value
    return None


def _is_told(revision: Revision, node: ast.AST) -> bool:
    """Tell whether *node* is raised, printed or logged."""
    told = (outer for outer in revision.nodes if is_told(outer))
    return any(inner is node for outer in told for inner in ast.walk(outer))
