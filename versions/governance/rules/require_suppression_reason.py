"""What a revision allows has a reason; without one it allows nothing.

Why: the next reader has to know why the rule does not hold here, and when it will again.
Fix: write the reason behind a colon, on the same line:

    # allow MIG031: the table holds five rows
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG019"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each suppression without a reason."""
    for revision in history.revisions:
        for said in revision.suppressions:
            if not said.reason:
                yield _found(
                    revision.path,
                    f'"allow {said.code}" has no reason, and allows nothing',
                    hint=f'write "allow {said.code}: <why it is safe here>" in {revision.file_name}',
                    at=said.place,
                )
