"""Every table has a primary key.

Why: without one, no row can be named: not by the trail, not by logical replication, not by a batch that
goes on where it stopped.
Fix: give it one:

    sa.PrimaryKeyConstraint("id", name="plans_pkey")

Seen: tables that a revision makes with their columns, and keys that any revision adds; partitions have
their parent's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG063"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each table whose rows have no name."""
    for table in history.facts.tables.values():
        has_key = any(made.kind == "pkey" for _, _, made in table.constraints)
        if has_key or table.act.partition_of is not None or not table.columns:
            continue
        revision = table.revision
        name = table.name.rpartition(".")[2]
        made = f'sa.PrimaryKeyConstraint("…", name="{name}_pkey")'
        if table.act.tokens:
            made = f"CONSTRAINT {name}_pkey PRIMARY KEY (…)"
        yield _found(
            revision.path,
            f'"{table.name}" has no primary key, so that no row of it can be named',
            hint=f"write {made} in {revision.file_name}",
            at=revision.place_of_act(table.act),
        )
