"""The history has one base and one head.

Why: with two heads `alembic upgrade head` stops, and with two bases a database can lack half of the schema.
A folder without revisions has neither: most often it is the wrong folder.
Fix: let the later of the two follow the other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision

CODE = "MIG010"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each base and each head beyond the first."""
    if not history.revisions:
        yield _found(
            history.folder,
            f'"{history.folder.name}" holds no revision',
            hint="name the folder that holds the revisions",
        )
    named = {revision.name: revision for revision in reversed(history.revisions)}
    followed = {history.parent(revision) for revision in history.revisions}
    bases = [made for made in history.revisions if history.parent(made) is None]
    heads = [made for made in history.revisions if made.name not in followed and named[made.name] is made]
    for first, base in pairwise(bases):
        yield _told("bases", (first, base), parent=history.previous(base) or first.name, child=base)
    for first, head in pairwise(heads):
        yield _told("heads", (first, head), parent=first.name, child=history.next(first) or head)


def _told(kind: str, ends: tuple[Revision, Revision], *, parent: str, child: Revision) -> Finding:
    return _found(
        child.path,
        f'there are two {kind}, "{ends[0].name}" and "{ends[1].name}"',
        hint=f'set down_revision = "{parent}" in {child.file_name}',
        at=child.place_of("down_revision"),
    )
