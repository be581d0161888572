"""SET NOT NULL and DROP CONSTRAINT of one table are two statements.

Why: in one ALTER TABLE the drop comes first, whatever is written first; the CHECK that would have spared
the scan is gone, and the whole table is read under ACCESS EXCLUSIVE.
Fix: write two statements, SET NOT NULL first:

    execute("ALTER TABLE users ALTER COLUMN email SET NOT NULL")
    execute("ALTER TABLE users DROP CONSTRAINT users_email_check")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import AlterColumn, DropConstraint
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG042"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each statement that does both."""
    dropped = {id(act.where): act for _, act in history.acts(DropConstraint) if act.tokens}
    for revision, act in history.changes(AlterColumn):
        beside = dropped.get(id(act.where))
        if act.required and beside is not None:
            table = hints.identifier(act.table)
            first = hints.execute(f"ALTER TABLE {table} ALTER COLUMN {act.column} SET NOT NULL")
            second = hints.execute(f"ALTER TABLE {table} DROP CONSTRAINT {beside.name}")
            yield _found(
                revision.path,
                f'one ALTER TABLE drops "{beside.name}" before SET NOT NULL, which then reads all of '
                f"{hints.quoted(act.table)} under ACCESS EXCLUSIVE",
                hint=f"write {first}, then {second} in {revision.file_name}",
                at=revision.place_of_act(act),
            )
