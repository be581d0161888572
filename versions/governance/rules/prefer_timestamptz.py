"""An instant is timestamptz, and not timestamp.

Why: timestamp keeps the digits of a clock and forgets where it hung: the same value is another instant for
a client in another time zone, and twice the same in the hour when summer time ends.
Fix: say so; it takes no more room:

    sa.Column("played_at", sa.DateTime(timezone=True), comment="behavioural: when")

Seen: also columns whose type is changed. A time of the day of a calendar is a reason to allow it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.new_columns import new_columns
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG068"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each such column."""
    for made in new_columns(history):
        if made.column.type.name == "timestamp":
            fix = made.of_type(operation="sa.DateTime(timezone=True)", sql="timestamptz")
            yield _found(
                made.revision.path,
                f"{made.shown} is timestamp without time zone: it names no instant",
                hint=f"write {fix} in {made.revision.file_name}",
                at=made.place,
            )
