"""Every table with personal data says how long it keeps them.

Why: personal data is kept no longer than its purpose asks (GDPR art. 5(1)(e)); what deletes old rows reads
`retention_policies`.
Fix: write a row for the table:

    INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action)
    VALUES ('listens', 'raw', 'listened_at', INTERVAL '25 months', 'delete');

A table is exempt when a foreign key with ON DELETE CASCADE takes its rows along with those of a table that
has one.

A table is personal when one of its columns is of another class than none. Seen: this or any other revision
of the history; a table that a later revision drops is exempt. Not seen: a row that is not written out as
VALUES.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.personal import personal_tables
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG062"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each personal table that keeps its rows for ever, at its first personal column."""
    for personal in personal_tables(history):
        name = personal.table.name
        if name not in history.facts.ending:
            row = (
                "INSERT INTO public.retention_policies (table_name, rule, time_column, keep_for, action) "  # noqa: S608
                f"VALUES ('{name}', '<rule>', '<column>', INTERVAL '13 months', 'delete')"
            )
            yield _found(
                personal.revision.path,
                f'"{name}" holds personal data ("{personal.column}"), and nothing says for how long',
                hint=f"write {hints.execute(row)} in {personal.file_name}",
                at=personal.place,
            )
