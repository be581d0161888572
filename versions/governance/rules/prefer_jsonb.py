"""A document is jsonb, and not json.

Why: json is text: it has no equality, so that DISTINCT, UNION and GROUP BY over its table fail, it takes no
index, and it is parsed again each time it is read.
Fix: say JSONB of sqlalchemy.dialects.postgresql, or jsonb:

    sa.Column("settings", JSONB, comment="none: …")

Seen: `sa.JSON`, which is json on PostgreSQL, and columns whose type is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.new_columns import new_columns
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG067"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each such column."""
    for made in new_columns(history):
        if made.column.type.name == "json":
            fix = made.of_type(operation="JSONB", sql="jsonb")
            yield _found(
                made.revision.path,
                f"{made.shown} is json, which has no equality and takes no index",
                hint=f"write {fix} in {made.revision.file_name}",
                at=made.place,
            )
