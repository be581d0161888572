"""Every column that an operation creates says what personal data it holds, and why.

Why: erasure, export and retention read the classes from the catalogue; a column without one is a column they
miss. The check reads the file and runs nothing, so it has to see each column: a literal `sa.Column`, in the
operation or in a function of the same file, with a comment that is a literal, a sum of literals, or a
constant of the module. A comment given later in the file, by op.alter_column or by SQL, counts too.
Fix: begin the column's comment with its class and a colon, then say what the column is for:

    sa.Column("email", sa.Text, comment="contact: where notices are sent")
    ops.add_column("public.users", "email", "text", comment="contact: where notices are sent")

The classes are none, identifier, contact, location, behavioural, content and derived.
Not seen: temporary tables, and the other columns of a function that builds one column here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from spotify_ai_agent_migrations.versions.governance import bindings, syntax
from spotify_ai_agent_migrations.versions.governance.classification import CHOICE, complaint, is_classified
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.syntax import Call

CODE = "MIG014"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_BESIDE_COLUMNS: Final = (
    "CheckConstraint", "ExcludeConstraint", "ForeignKeyConstraint", "Index", "PrimaryKeyConstraint",
    "UniqueConstraint",
)  # fmt: skip


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each column without a class, and for each that cannot be seen."""
    for revision, tree in history.readable:
        calls = revision.calls
        comments = revision.comments
        sight = _Sight({call.node: call for call in calls}, revision.bindings, bindings.functions(tree))
        yield from _added_online(revision)
        for call in calls:
            if call.is_column:
                yield from _unclassified(revision, call, comments)
            for hidden in (item for item in _items(call) if not sight.sees(item)):
                yield _found(
                    revision.path,
                    f"a column of {_quoted(call.table)} cannot be seen without running the revision",
                    hint='write sa.Column("…", …, comment="<class>: <what it is for>") '
                    f"in {revision.file_name}",
                    at=revision.place(hidden),
                )


def _added_online(revision: Revision) -> Iterator[Finding]:
    """Yield the columns that `ops` adds on the way there; one that comes back is said to be what it was."""
    for step in revision.upgrade.steps:
        if step.call is None or step.call.online() != "add_column":
            continue
        comment = bindings.folded(syntax.keyword(step.call.node, "comment"), revision.constants)
        if comment is not None and is_classified(comment):
            continue
        table, name = (
            syntax.literal(syntax.argument(step.call.node, place, named))
            for place, named in enumerate(("table", "column"))
        )
        yield _found(
            revision.path,
            f'column "{name or "…"}" of {_quoted(table)} {complaint(comment)}',
            hint=f'write ops.add_column(…, comment="<class>: <what it is for>") in {revision.file_name}; '
            f"the class is {CHOICE}",
            at=revision.place(step.node),
        )


def _unclassified(revision: Revision, call: Call, comments: Mapping[str, str]) -> Iterator[Finding]:
    given = syntax.keyword(call.node, "comment")
    name = syntax.literal(syntax.argument(call.node, 0, "name"))
    own = bindings.folded(given, revision.constants)
    comment = own if own is not None else comments.get(f"{call.table}.{name}")
    if comment is not None and is_classified(comment):
        return
    computed = (given is not None and not isinstance(given, ast.Constant)) or syntax.hides_keywords(call.node)
    computed = computed and comment is None
    problem = "has a comment that is not a literal" if computed else complaint(comment)
    shown = "…" if name is None else name
    yield _found(
        revision.path,
        f'column "{shown}" of {_quoted(call.table)} {problem}',
        hint=f'write sa.Column("{shown}", …, comment="<class>: <what it is for>") in {revision.file_name}; '
        f"the class is {CHOICE}",
        at=revision.place(call.node),
    )


def _quoted(table: str | None) -> str:
    return "a table" if table is None else f'"{table}"'


def _items(call: Call) -> Iterator[ast.expr]:
    """Yield the arguments of an operation that are columns, or stand where columns do."""
    operation = call.operation()
    if operation == "create_table":
        given = call.node.args
        positional = syntax.keyword(call.node, "table_name") is None
        starred = any(isinstance(item, ast.Starred) for item in given[:1])
        yield from given[1:] if positional and not starred else given
    elif operation == "add_column":
        column = syntax.argument(call.node, 0 if call.in_batch else 1, "column")
        yield call.node if column is None else column


@dataclass(frozen=True)
class _Sight:
    """Tells whether the columns behind an argument are written out in this file."""

    calls: Mapping[ast.Call, Call]
    bindings: Mapping[str, list[ast.expr]]
    functions: Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]

    def sees(self, node: ast.expr, *, through: frozenset[str] = frozenset()) -> bool:
        """Tell it of *node*, having come *through* these names."""
        if isinstance(node, ast.Starred):
            return self.sees(node.value, through=through)
        if isinstance(node, ast.List | ast.Tuple):
            return all(self.sees(item, through=through) for item in node.elts)
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return self.sees(node.elt, through=through)
        if isinstance(node, ast.Name):
            values = [] if node.id in through else self.bindings.get(node.id, [])
            return bool(values) and all(self.sees(v, through=through | {node.id}) for v in values)
        return isinstance(node, ast.Call) and self._sees_call(node, through=through)

    def _sees_call(self, node: ast.Call, *, through: frozenset[str]) -> bool:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if (helper := self.functions.get(name)) is not None:
            return name not in through and self._sees_helper(helper, through=through | {name})
        if name in {"list", "tuple"} and len(node.args) == 1:
            return self.sees(node.args[0], through=through)
        return self._defines(node)

    def _sees_helper(
        self, helper: ast.FunctionDef | ast.AsyncFunctionDef, *, through: frozenset[str]
    ) -> bool:
        if any(self._defines(inner) for inner in ast.walk(helper)):
            return True
        given = [node.value for node in ast.walk(helper) if isinstance(node, ast.Return) and node.value]
        return bool(given) and all(self.sees(value, through=through) for value in given)

    def _defines(self, node: ast.AST) -> bool:
        call = self.calls.get(node) if isinstance(node, ast.Call) else None
        return call is not None and call.is_sqlalchemy("Column", *_BESIDE_COLUMNS)
