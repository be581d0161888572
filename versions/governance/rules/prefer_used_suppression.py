"""What a revision allows is found there.

Why: a suppression that outlived its finding hides the next one at the same place.
Fix: remove the line, or move it above the statement it means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History, Revision
from spotify_ai_agent_migrations.versions.governance.suppressions import Suppression

CODE = "MIG020"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)


def find(_: History) -> Iterator[Finding]:
    """Yield nothing: what is unused is known only when every other rule has found what it finds."""
    return iter(())


def told(unused: Iterable[tuple[Revision, Suppression]]) -> list[Finding]:
    """Return a finding for each of these suppressions, but for those that lack a reason."""
    return [
        _found(
            revision.path,
            f'"allow {said.code}" stands {_where(said)}',
            hint=f"remove line {said.place.line} of {revision.file_name}",
            at=said.place,
        )
        for revision, said in unused
        if said.reason
    ]


def _where(said: Suppression) -> str:
    return "before no statement" if said.covers_nothing else "where nothing needs it"
