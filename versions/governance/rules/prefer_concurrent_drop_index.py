"""An index of a table that was there before is dropped CONCURRENTLY.

Why: DROP INDEX takes ACCESS EXCLUSIVE on the table. It is short, but it waits behind every long reader, and
everybody who comes after waits behind it.
Fix: give it a revision of its own:

    with op.get_context().autocommit_block():
        op.drop_index("users_email_idx", table_name="users", postgresql_concurrently=True)

Indexes made in the same revision, and those of its tables, are exempt. Not seen: the table of an index that
no revision made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import DropIndex
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG032"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each index that is dropped under the strongest lock."""
    for revision, act in history.acts(DropIndex):
        made_in, _ = history.facts.indexes.get((act.name or "").rpartition(".")[2], (None, None))
        table = act.table or history.facts.table_of_index(act.name)
        if act.concurrently or made_in is revision or not revision.upgrade.found(table, act):
            continue
        alone = hints.alone(_concurrently(act))
        yield _found(
            revision.path,
            f'dropping "{act.name or "…"}" takes ACCESS EXCLUSIVE on {hints.quoted(table)}: readers wait too',
            hint=f"write {alone}, alone in a revision, instead in {revision.file_name}",
            at=revision.place_of_act(act),
        )


def _concurrently(act: DropIndex) -> str:
    if act.tokens:
        return hints.execute(hints.inserted(act.tokens, "CONCURRENTLY", after="INDEX"))
    return hints.called(act, postgresql_concurrently="True")
