"""Collect the comments that a revision gives to columns, in SQL and in operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from spotify_ai_agent_migrations.versions.governance import bindings, ddl, syntax
from spotify_ai_agent_migrations.versions.governance.strings import SqlText
from spotify_ai_agent_migrations.versions.governance.syntax import Call


def comments_of(
    texts: Iterable[SqlText], calls: Iterable[Call], constants: Mapping[str, str]
) -> dict[str, str]:
    """Return the comments of a revision by `table.column`; the last one counts, SQL before operations."""
    found = {
        column: comment
        for text in texts
        for statement in text.statements
        for column, comment in ddl.column_comments(statement)
    }
    altered = (pair for call in calls for pair in _altered(call, constants))
    return found | dict(altered)


def _altered(call: Call, constants: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if call.operation() == "alter_column":
        column = syntax.literal(syntax.argument(call.node, 0 if call.in_batch else 1, "column_name"))
        comment = bindings.folded(syntax.keyword(call.node, "comment"), constants)
        if column is not None and comment is not None:
            yield f"{call.table}.{column}", comment
