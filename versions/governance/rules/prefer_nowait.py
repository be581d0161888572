"""A LOCK of a table that was there before does not wait in line.

Why: while it waits, everybody who comes after it waits behind it, readers too. With NOWAIT it fails at
once, and the runner tries again after a pause in which they pass.
Fix: say NOWAIT:

    execute("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE NOWAIT")

Seen: `upgrade()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import Statement
from spotify_ai_agent_migrations.versions.governance.ddl import without
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History
from spotify_ai_agent_migrations.versions.governance.tokens import qualified, split

CODE = "MIG028"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each LOCK that waits for a table that was there before."""
    for revision, said in history.statements("LOCK"):
        names = list(_tables(said))
        found = [name for name in names if revision.upgrade.found(name, said)]
        if found and not any(token.word == "NOWAIT" for token in said.tokens):
            yield _found(
                revision.path,
                f"LOCK waits in line for {hints.quoted(found[0])}, and whoever comes after waits behind it",
                hint=f"write {hints.execute(f'{written(said.tokens)} NOWAIT')} in {revision.file_name}",
                at=revision.place_of_act(said),
            )


def _tables(said: Statement) -> Iterator[str]:
    for named in split(without(said.tokens[1:], "TABLE")):
        yield qualified(without(named, "ONLY"))[0]
