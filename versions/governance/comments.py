"""Collect the comments that a revision gives to columns, in SQL and in operations."""

from __future__ import annotations

from collections.abc import Iterator

from spotify_ai_agent_migrations.versions.governance import bindings, ddl, syntax
from spotify_ai_agent_migrations.versions.governance.revision import Revision
from spotify_ai_agent_migrations.versions.governance.syntax import Call


def comments_of(revision: Revision) -> dict[str, str]:
    """Return the comments of *revision* by `table.column`; the last one counts, SQL before operations."""
    found = {
        column: comment
        for text in revision.sql_texts
        for statement in text.statements
        for column, comment in ddl.column_comments(statement)
    }
    altered = (pair for call in revision.calls for pair in _altered(revision, call))
    return found | dict(altered)


def _altered(revision: Revision, call: Call) -> Iterator[tuple[str, str]]:
    if call.operation() == "alter_column":
        column = syntax.literal(syntax.argument(call.node, 0 if call.in_batch else 1, "column_name"))
        comment = bindings.folded(syntax.keyword(call.node, "comment"), revision.constants)
        if column is not None and comment is not None:
            yield f"{call.table}.{column}", comment
