"""A materialized view is refreshed CONCURRENTLY.

Why: REFRESH takes ACCESS EXCLUSIVE on the view: nobody reads it until its query has run.
Fix: say CONCURRENTLY; the view needs a unique index over all of its rows:

    execute("REFRESH MATERIALIZED VIEW CONCURRENTLY top_tracks")

Views made in the same revision are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.ddl import without
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.tokens import begins, qualified

CODE = "MIG035"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each refresh that blocks readers."""
    for revision, said in history.statements("REFRESH"):
        name, _ = qualified(said.tokens[3:])
        if any(token.word == "CONCURRENTLY" for token in said.tokens) or name in _made(revision):
            continue
        fixed = hints.inserted(said.tokens, "CONCURRENTLY", after="VIEW")
        yield _found(
            revision.path,
            f"REFRESH takes ACCESS EXCLUSIVE on {hints.quoted(name)}: nobody reads it until it is done",
            hint=f"write {hints.execute(fixed)} in {revision.file_name}",
            at=revision.place_of_act(said),
        )


def _made(revision: Revision) -> set[str]:
    """Return the materialized views that a revision makes."""
    created = (said.tokens for said in revision.upgrade.statements("CREATE"))
    return {
        qualified(without(tokens[3:], "IF", "NOT", "EXISTS"))[0]
        for tokens in created
        if begins(tokens, "CREATE", "MATERIALIZED", "VIEW")
    }
