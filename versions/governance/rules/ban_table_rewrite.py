"""A table that was there before is not copied to another place or another form.

Why: SET LOGGED, SET UNLOGGED, SET TABLESPACE and SET ACCESS METHOD copy the whole table under ACCESS
EXCLUSIVE: nobody reads or writes until it is done.
Fix: make a new table that is so, move the rows in batches, and exchange the two; or stop the service and
allow it. Tables of the same revision are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import TableAction
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG047"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)

_COPIES: Final = (("SET", "ACCESS"), ("SET", "LOGGED"), ("SET", "TABLESPACE"), ("SET", "UNLOGGED"))


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each action that copies its table."""
    for revision, act in history.changes(TableAction):
        if act.words[:2] in _COPIES:
            yield _found(
                revision.path,
                f"{written(act.action)} copies {hints.quoted(act.table)} under ACCESS EXCLUSIVE: "
                "nobody reads or writes until it is done",
                hint="make a new table that is so and move the rows in batches, or write "
                f'"# allow MIG047: <who waits meanwhile>" in {revision.file_name}',
                at=revision.place_of_act(act),
            )
