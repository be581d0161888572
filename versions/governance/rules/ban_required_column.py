"""No column that is NOT NULL and has no default is added to a table that was there before.

Why: it fails as soon as the table holds a row; where it does not, the application that still runs cannot
insert any more.
Fix: give it a default that is a constant, which costs nothing, or add it without NOT NULL, fill it, and
require it later:

    op.add_column("users", sa.Column("city", sa.Text, server_default="", nullable=False, comment="…"))

Tables of the same revision are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import AddColumn
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG039"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each such column."""
    for revision, act in history.changes(AddColumn):
        column = act.column
        if not column.required or column.default is not None:
            continue
        made = hints.added(act, without=frozenset({"server_default"}), default="...")
        yield _found(
            revision.path,
            f'column "{column.name}" is NOT NULL without a default, and fails if {hints.quoted(act.table)} '
            "holds a row",
            hint=f"write {made}, or leave out nullable=False and "
            f"require it once it is filled, in {revision.file_name}",
            at=revision.place_of_act(act, column.part),
        )
