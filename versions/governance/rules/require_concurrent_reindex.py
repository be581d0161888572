"""REINDEX is done CONCURRENTLY.

Why: it takes SHARE on the table and ACCESS EXCLUSIVE on the index until the new one is built: nobody
writes, and whoever would read through the index waits.
Fix: give it a revision of its own, or run it apart:

    with op.get_context().autocommit_block():
        execute("REINDEX INDEX CONCURRENTLY users_email_idx")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG033"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each REINDEX that blocks."""
    for revision, said in history.statements("REINDEX"):
        words = [token.word for token in said.tokens]
        if "CONCURRENTLY" in words:
            continue
        kind = next((word for word in words if word in {"DATABASE", "INDEX", "SCHEMA", "TABLE"}), "REINDEX")
        fixed = hints.inserted(said.tokens, "CONCURRENTLY", after=kind)
        yield _found(
            revision.path,
            f"{written(said.tokens)} blocks whoever writes to the table, or reads it through the index",
            hint=f"write {hints.alone(hints.execute(fixed))}, alone in a revision, instead in "
            f"{revision.file_name}",
            at=revision.place_of_act(said),
        )
