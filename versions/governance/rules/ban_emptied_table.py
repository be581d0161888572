"""`upgrade()` empties no table that was there before.

Why: TRUNCATE, and DELETE without WHERE, take every row. No downgrade brings it back.
Fix: stop using it in a release before this one, keep what it holds somewhere else, write `Data:
destructive` in the docstring, and say above the statement where it is kept:

    # allow MIG053: a cache, filled again by the next request
    execute("TRUNCATE recent_searches")

Tables of the same revision are exempt, and so is `downgrade()`, of which `Reverse: lossy` speaks. Not seen:
a WHERE that holds for every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import ChangeRows
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG053"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each table that loses all its rows."""
    for revision, act in history.changes(ChangeRows):
        if act.verb != "truncate" and not (act.verb == "delete" and act.everywhere):
            continue
        what = "TRUNCATE" if act.verb == "truncate" else "DELETE without WHERE"
        yield _found(
            revision.path,
            f"{what} takes every row of {hints.quoted(act.table)}, and no downgrade brings them back",
            hint="keep the rows first, then write Data: destructive in the docstring and "
            f'"allow MIG053: <where they are kept>" in a comment above this in {revision.file_name}',
            at=revision.place_of_act(act),
        )
