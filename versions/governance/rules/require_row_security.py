"""Every table with personal data has row security.

Why: without it, a role that may read the table reads the rows of everybody; one forgotten WHERE in the
application shows a person's data to another.
Fix: switch it on, and say who sees what:

    ALTER TABLE listens ENABLE ROW LEVEL SECURITY;
    CREATE POLICY listens_app ON listens TO agent_app
        USING (user_id = NULLIF(current_setting('app.user_id', true), '')::bigint);

A table is personal when one of its columns is of another class than none. Seen: this or any other revision
of the history; a table that a later revision drops is exempt. Not seen: what the policies let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.personal import personal_tables
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG060"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each personal table without row security, at its first personal column."""
    for personal in personal_tables(history):
        if not personal.table.is_secured:
            name = hints.identifier(personal.table.name)
            enabled = hints.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
            yield _found(
                personal.revision.path,
                f'"{personal.table.name}" holds personal data ("{personal.column}") and has no row security',
                hint=f"write {enabled} and a policy for each role that may see rows in {personal.file_name}",
                at=personal.place,
            )
