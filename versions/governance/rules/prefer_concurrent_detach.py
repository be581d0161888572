"""A partition is detached CONCURRENTLY.

Why: DETACH takes ACCESS EXCLUSIVE on the parent, and so on every partition: short, but it waits behind
every reader of any of them.
Fix: give it a revision of its own:

    with op.get_context().autocommit_block():
        execute("ALTER TABLE listens DETACH PARTITION listens_2026_01 CONCURRENTLY")

A table with a default partition cannot do it. Tables of the same revision are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import TableAction
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG036"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each partition that is detached under the strongest lock."""
    for revision, act in history.changes(TableAction):
        if act.words[:2] != ("DETACH", "PARTITION") or "CONCURRENTLY" in act.words or "FINALIZE" in act.words:
            continue
        code = hints.alone(hints.execute(f"{written(act.tokens)} CONCURRENTLY"))
        yield _found(
            revision.path,
            f"DETACH takes ACCESS EXCLUSIVE on {hints.quoted(act.table)} and its partitions: readers wait",
            hint=f"write {code}, alone in a revision, instead in {revision.file_name}",
            at=revision.place_of_act(act),
        )
