"""What a revision follows exists, and is not itself.

Why: Alembic cannot load a history with a missing parent or a circle, and says so with a bare `KeyError`.
Fix: set `down_revision` to the number before the revision's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG008"
STRUCTURAL = True

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision whose parent is missing or follows it."""
    parents = {made.name: history.parent(made) for made in history.revisions}
    for revision, _ in history.readable:
        problem = _problem(revision, parents)
        if revision.down_revision is None or problem is None:
            continue
        previous = history.previous(revision)
        wanted = f'"{previous}"' if previous else "None"
        yield _found(
            revision.path,
            problem,
            hint=f"set down_revision = {wanted} in {revision.file_name}",
            at=revision.place_of("down_revision"),
        )


def _problem(revision: Revision, parents: dict[str, str | None]) -> str | None:
    if revision.down_revision is not None and revision.down_revision not in parents:
        return f'revision "{revision.name}" follows "{revision.down_revision}", which does not exist'
    seen: list[str] = []
    name = parents[revision.name]
    while name is not None and name not in seen:
        if name == revision.name:
            through = f' through "{seen[0]}"' if seen else ""
            return f'revision "{revision.name}" follows itself{through}'
        seen.append(name)
        name = parents.get(name)
    return None
