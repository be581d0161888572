"""Every change of a table with personal data is written to the trail.

Why: who changed a person's data, and when, has to be told to them, and to whoever audits the service.
Fix: let the database make the triggers:

    SELECT ops.audit_table_v1('public.listens', 'listen', entity_id => 'id', subject => 'user_id');

A table is personal when one of its columns is of another class than none. Seen: this or any other revision
of the history; a table that a later revision drops is exempt. Not seen: triggers that are made in another
way than by `ops.audit_table_v1`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.personal import personal_tables
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG061"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each personal table whose changes leave no trace, at its first personal column."""
    for personal in personal_tables(history):
        if not personal.table.is_audited:
            name = personal.table.name
            target = name if "." in name else f"public.{name}"
            call = (
                f"SELECT ops.audit_table_v1('{target}', '{name.rpartition('.')[2]}', subject => '<column>')"
            )
            yield _found(
                personal.revision.path,
                f'"{name}" holds personal data ("{personal.column}"), and its changes leave no trace',
                hint=f"write {hints.execute(call)} in {personal.file_name}",
                at=personal.place,
            )
