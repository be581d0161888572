"""A revision is called by the number of its file.

Why: `alembic upgrade 004` and `versions/004_…py` have to be the same revision to everybody.
Fix: set `revision` to the three digits of the file's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG007"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision that calls itself by another number."""
    for revision, _ in history.readable:
        if revision.number is None or revision.revision in {None, f"{revision.number:03}"}:
            continue
        yield _found(
            revision.path,
            f'"{revision.file_name}" calls itself revision "{revision.revision}"',
            hint=f'set revision = "{revision.number:03}" in {revision.file_name}',
            at=revision.place_of("revision"),
        )
