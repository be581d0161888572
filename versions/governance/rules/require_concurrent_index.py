"""An index on a table that was there before is built CONCURRENTLY.

Why: CREATE INDEX takes SHARE, so nobody writes to the table until the build ends: minutes on a big one.
Fix: give the index a revision of its own:

    with op.get_context().autocommit_block():
        op.create_index("users_email_idx", "users", ["email"], postgresql_concurrently=True)

A partitioned table takes no CONCURRENTLY: make the index on it with ON ONLY, which covers no partition yet,
then one CONCURRENTLY on each partition, and attach these. Tables of the same revision are exempt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance import hints
from spotify_ai_agent_migrations.versions.governance.acts import CreateIndex
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG031"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each index that blocks writing while it is built."""
    for revision, act in history.changes(CreateIndex):
        if act.concurrently or act.index.only:
            continue
        name = f' "{act.index.name}"' if act.index.name else ""
        yield _found(
            revision.path,
            f"index{name} is built under SHARE: nobody writes to {hints.quoted(act.table)} until it is done",
            hint=f"write {_fix(act, partitioned=act.table in history.facts.partitioned)}, instead in "
            f"{revision.file_name}",
            at=revision.place_of_act(act),
        )


def _fix(act: CreateIndex, *, partitioned: bool) -> str:
    if partitioned:
        table, name = hints.identifier(act.table), hints.identifier(act.index.name, "<index>")
        columns = ", ".join(act.index.columns) or "<columns>"
        only = hints.execute(f"CREATE INDEX {name} ON ONLY {table} ({columns})")
        return f"{only}, then an index CONCURRENTLY on each partition and ALTER INDEX {name} ATTACH PARTITION"
    code = hints.execute(hints.inserted(act.tokens, "CONCURRENTLY", after="INDEX")) if act.tokens else None
    return f"{hints.alone(code or hints.called(act, postgresql_concurrently='True'))}, alone in a revision"
