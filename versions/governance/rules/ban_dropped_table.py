"""`upgrade()` drops no table that was there before.

Why: the rows are gone with it. No downgrade brings it back.
Fix: stop using it in a release before this one, keep what it holds somewhere else, write `Data:
destructive` in the docstring, and say above the statement where it is kept:

    # allow MIG051: its rows were exported to the archive of 3 March
    op.drop_table("plans")

The same holds for a schema. Tables of the same revision are exempt, and so is `downgrade()`, of which
`Reverse: lossy` speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import Act, DropTable
from spotify_ai_agent_migrations.versions.governance.ddl import without
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.tokens import begins

CODE = "MIG051"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each table that goes, and each schema."""
    for revision, act in history.changes(DropTable):
        yield _told(revision, act, f"{hints.quoted(act.table)} goes with all its rows")
    for revision, said in history.statements("DROP"):
        if begins(said.tokens, "DROP", "SCHEMA"):
            named = without(said.tokens[2:], "IF", "EXISTS")
            name = named[0].name if named else "…"
            yield _told(revision, said, f'schema "{name}" goes with all its tables')


def _told(revision: Revision, act: Act, problem: str) -> Finding:
    return _found(
        revision.path,
        f"{problem}, and no downgrade brings them back",
        hint="keep the rows first, then write Data: destructive in the docstring and "
        f'"# allow MIG051: <where they are kept>" above this in {revision.file_name}',
        at=revision.place_of_act(act),
    )
