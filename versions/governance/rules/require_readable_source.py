"""A revision is UTF-8 text that Python can compile.

Why: Alembic loads every revision for every command; one that cannot be read stops all of them.
Fix: correct the syntax, or save the file as UTF-8; `python -m py_compile FILE` shows the place without
running it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Place, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG002"
STRUCTURAL = True

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision that cannot be read."""
    for revision in history.revisions:
        if revision.problem is not None:
            yield _found(
                revision.path,
                f'"{revision.file_name}" {revision.problem}',
                hint=revision.remedy,
                at=Place(revision.problem_line),
            )
