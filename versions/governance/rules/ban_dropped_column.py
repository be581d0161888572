"""`upgrade()` drops no column of a table that was there before.

Why: its values are gone with it, and an application that still reads it fails. No downgrade brings it back.
Fix: stop using it in a release before this one, keep what it holds somewhere else, write `Data:
destructive` in the docstring, and say above the statement where it is kept:

    # allow MIG052: no release since 2.3 reads it, its values moved to profiles
    op.drop_column("users", "nickname")

Tables of the same revision are exempt, and so is `downgrade()`, of which `Reverse: lossy` speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import AddColumn, DropColumn
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG052"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each column that goes."""
    for revision, act in history.changes(DropColumn):
        if _is_own(revision, act):
            continue
        yield _found(
            revision.path,
            f'"{act.column or "…"}" of {hints.quoted(act.table)} goes with all its values, '
            "and no downgrade brings them back",
            hint="keep the values first, then write Data: destructive in the docstring and "
            f'"# allow MIG052: <where they are kept>" above this in {revision.file_name}',
            at=revision.place_of_act(act),
        )


def _is_own(revision: Revision, act: DropColumn) -> bool:
    """Tell whether the revision added the column before it dropped it."""
    for other in revision.upgrade.acts:
        if other is act:
            return False
        if isinstance(other, AddColumn) and (other.table, other.column.name) == (act.table, act.column):
            return True
    return False
