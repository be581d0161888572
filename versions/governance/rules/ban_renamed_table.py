"""A table that was there before keeps its name and its schema.

Why: the application that runs while the revision is applied still uses the old name, and fails from that
moment on.
Fix: leave a view of the old name behind, in the same revision, until no release uses it:

    op.rename_table("users", "people")
    execute("CREATE VIEW users AS SELECT * FROM people")

Tables of the same revision are exempt, and so are those that leave such a view.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import RenameTable
from spotify_ai_agent_migrations.versions.governance.ddl import without
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.tokens import begins, qualified

CODE = "MIG048"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each table that loses its name."""
    for revision, act in history.changes(RenameTable):
        if act.table is not None and act.table in _views(revision):
            continue
        old, new = hints.identifier(act.table), hints.identifier(act.to or None)
        view = hints.execute(f"CREATE VIEW {old} AS SELECT * FROM {new}")  # noqa: S608  (shown, not executed)
        yield _found(
            revision.path,
            f'whatever still uses {hints.quoted(act.table)} fails once it is called "{act.to or "…"}"',
            hint=f"write {view} behind it in {revision.file_name}, and drop the view when no release uses it",
            at=revision.place_of_act(act),
        )


def _views(revision: Revision) -> set[str]:
    """Return the views that a revision makes."""
    found = set()
    for said in revision.upgrade.statements("CREATE"):
        rest = without(without(said.tokens[1:], "OR", "REPLACE"), "RECURSIVE")
        if begins(rest, "VIEW"):
            found.add(qualified(rest[1:])[0])
    return found
