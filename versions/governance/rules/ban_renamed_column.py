"""A column of a table that was there before keeps its name.

Why: the application that runs while the revision is applied still uses the old name, and fails from that
moment on.
Fix: in three releases: add a column of the new name and keep both equal with a trigger; let the application
use it; drop the old one.

    op.add_column("users", sa.Column("full_name", sa.Text, comment="identifier: …"))

Tables of the same revision are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import RenameColumn
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG049"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each column that loses its name."""
    for revision, act in history.changes(RenameColumn):
        old, new = act.column or "<column>", act.to or "<column>"
        added = hints.operation("add_column", act.table, f'sa.Column("{new}", …)')
        yield _found(
            revision.path,
            f'whatever still uses "{old}" of {hints.quoted(act.table)} fails once it is called "{new}"',
            hint=f"write {added} and a trigger that keeps both equal in {revision.file_name}; "
            f'drop "{old}" when no release uses it',
            at=revision.place_of_act(act),
        )
