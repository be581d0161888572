"""The numbers run from 001 without a gap.

Why: a gap is a revision that was lost in a merge, or one that somebody still has on a branch.
Fix: bring the missing revision back, or give its number to the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG006"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision whose number is not the one after the last."""
    last = 0
    numbered = [(made.number, made) for made in history.revisions if made.number is not None]
    for number, revision in sorted(numbered, key=lambda pair: (pair[0], pair[1].file_name)):
        if number != last + 1 and (number != last or number == 0):
            parent = f'"{last:03}"' if last else "None"
            yield _found(
                revision.path,
                f'number "{last + 1:03}" is missing before "{revision.file_name}"',
                hint=f"bring it back, or rename {revision.file_name} to {last + 1:03}_{revision.slug}.py and "
                f'set revision = "{last + 1:03}", down_revision = {parent} in it',
            )
        last = number
