"""What a revision allows is the code of a rule that can be allowed.

Why: a code that is misspelt allows nothing, and whoever reads it believes that it does. What keeps the
files readable and in one line cannot be allowed, nor can these rules about allowing.
Fix: write the code that `agentdb check` shows beside the finding:

    # allow MIG031: the table holds five rows
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG018"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each code that nobody gave, or that cannot be allowed."""
    # Here, and not above: the list of the rules holds this one.
    from spotify_ai_agent_migrations.versions.governance.rules import SUPPRESSIBLE

    for revision in history.revisions:
        for said in revision.suppressions:
            if said.code not in SUPPRESSIBLE:
                yield _found(
                    revision.path,
                    f'"{said.code}" is not the code of a rule that can be allowed',
                    hint=f"write the code that agentdb check shows, or remove it, in {revision.file_name}",
                    at=said.place,
                )
