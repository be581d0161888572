"""A partition of a table that was there before is made apart and attached.

Why: CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE on the parent: readers wait. ATTACH takes SHARE
UPDATE EXCLUSIVE, and nobody notices.
Fix: make it like its parent, then attach it:

    execute("CREATE TABLE listens_old (LIKE listens INCLUDING ALL)")
    execute("ALTER TABLE listens ATTACH PARTITION listens_old FOR VALUES FROM (MINVALUE) TO ('2026-01-01')")

Partitions of tables of the same revision are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import CreateTable
from spotify_ai_agent_migrations.versions.governance.definitions import written
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG037"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each partition that is made in place."""
    for revision, act in history.acts(CreateTable):
        if act.partition_of is None or not revision.upgrade.found(act.partition_of, act):
            continue
        table, parent = hints.identifier(act.table), hints.identifier(act.partition_of)
        made = hints.execute(f"CREATE TABLE {table} (LIKE {parent} INCLUDING ALL)")
        attached = hints.execute(f"ALTER TABLE {parent} ATTACH PARTITION {table} {_bounds(act)}")
        yield _found(
            revision.path,
            f"PARTITION OF takes ACCESS EXCLUSIVE on {hints.quoted(act.partition_of)}: readers wait too",
            hint=f"write {made}, then {attached} in {revision.file_name}",
            at=revision.place_of_act(act),
        )


def _bounds(act: CreateTable) -> str:
    starts = ("FOR", "DEFAULT")
    at = next((place for place, token in enumerate(act.tokens) if token.word in starts), len(act.tokens))
    return written(act.tokens[at:]) or "…"
