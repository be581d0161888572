"""A revision follows the number before its own, and the first follows nothing.

Why: the history is one line; a reader, a review and a rollback can trust the order of the files.
Fix: set `down_revision` to the number before (`None` in the first).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG009"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision with another parent; a missing one is left to its own rule."""
    for revision, _ in history.readable:
        previous = history.previous(revision)
        if revision.down_revision == previous or not _said(history, revision):
            continue
        wanted = f'"{previous}"' if previous else "None"
        yield _found(
            revision.path,
            f'revision "{revision.name}" follows {_quoted(revision.down_revision)}, not {_quoted(previous)}',
            hint=f"set down_revision = {wanted} in {revision.file_name}",
            at=revision.place_of("down_revision"),
        )


def _said(history: History, revision: Revision) -> bool:
    known = revision.down_revision is None or revision.down_revision in history.names
    return known and revision.number is not None and "down_revision" in revision.assigned


def _quoted(name: str | None) -> str:
    return "nothing" if name is None else f'"{name}"'
