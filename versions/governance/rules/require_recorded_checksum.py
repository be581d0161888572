"""The checksum of every revision is recorded in `CHECKSUMS`.

Why: without it nobody sees that a revision changed after somebody applied it. A revision that is not recorded
is a draft: it may be tried in development, and is refused in staging and production.
Fix: run `agentdb governance checksums --write` and commit the list together with the revision.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.checksums import LIST, recorded
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG102"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__, "warning")


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each revision that is not in the list; a folder without a list has drafts only."""
    lines = recorded(history.folder)
    if lines is None:
        return
    listed = {line.file_name for line in lines}
    for revision in history.revisions:
        if revision.file_name not in listed:
            yield _found(
                revision.path,
                f'"{revision.file_name}" is not in {LIST}: it is a draft',
                hint="when it is ready run agentdb governance checksums --write",
            )
