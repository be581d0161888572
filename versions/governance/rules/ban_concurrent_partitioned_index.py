"""No index of a partitioned table is built or dropped CONCURRENTLY.

Why: PostgreSQL refuses both.
Fix: make the index with ON ONLY, which covers no partition yet, then one CONCURRENTLY on each partition,
and attach these; when the last is attached, the index of the whole is valid:

    execute("CREATE INDEX listens_track_id_idx ON ONLY listens (track_id)")

Seen: tables that a revision made partitioned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import CreateIndex, DropIndex
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG034"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each such index."""
    facts = history.facts
    for revision, act in history.acts(CreateIndex):
        if act.concurrently and act.table in facts.partitioned:
            name, columns = hints.identifier(act.index.name, "<index>"), ", ".join(act.index.columns)
            only = f"CREATE INDEX {name} ON ONLY {hints.identifier(act.table)} ({columns or '<columns>'})"
            yield _found(
                revision.path,
                f"{hints.quoted(act.table)} is partitioned, and takes no index CONCURRENTLY",
                hint=f"write {hints.execute(only)}, then an index CONCURRENTLY on each partition and "
                f"ALTER INDEX {name} ATTACH PARTITION, in {revision.file_name}",
                at=revision.place_of_act(act),
            )
    for revision, dropped in history.acts(DropIndex):
        table = facts.table_of_index(dropped.name)
        if dropped.concurrently and table in facts.partitioned:
            yield _found(
                revision.path,
                f"{hints.quoted(table)} is partitioned, and its indexes cannot be dropped CONCURRENTLY",
                hint=f"write {hints.execute(f'DROP INDEX {dropped.name}')}, in a revision of its own, "
                f"instead in {revision.file_name}",
                at=revision.place_of_act(dropped),
            )
