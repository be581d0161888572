"""A revision whose checksum is recorded is not changed, renamed or removed.

Why: a database that has applied it would keep what it said before, and another one get what it says now. The
list is chained, so that it cannot be put together from two branches by a merge that nobody looked at.
Fix: restore the file and write a new revision. One that no database has applied yet may be recorded anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from spotify_ai_agent_migrations.versions.governance.checksums import LIST, checksum, recorded
from spotify_ai_agent_migrations.versions.governance.finding import Finding, Place, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG101"
STRUCTURAL = False

_found: Final = Reporter(CODE, __name__)
_ANEW: Final = "where no database has applied it, run agentdb governance checksums --write"


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each line of the list that does not hold."""
    files = {revision.file_name: revision.path for revision in history.revisions}
    for line in recorded(history.folder) or ():
        listed = history.folder / LIST
        at = Place(line.number)
        path = files.get(line.file_name)
        if line.broken:
            yield _found(
                listed,
                f'the line of "{line.file_name}" does not follow from the lines before it',
                hint=f"restore {LIST} from Git; after a merge run agentdb governance checksums --write",
                at=at,
            )
            return
        if path is None:
            yield _found(
                listed,
                f'"{line.file_name}" is recorded, and there is no such file',
                hint=f"restore {line.file_name} from Git; {_ANEW}",
                at=at,
            )
        elif _changed(path, line.checksum):
            yield _found(
                path,
                f'"{line.file_name}" is not the file whose checksum is recorded',
                hint=f"restore {line.file_name} from Git and write a new revision; {_ANEW}",
            )


def _changed(path: Path, before: str) -> bool:
    """Tell whether a file is another; one that cannot be read is another rule's finding."""
    try:
        return path.is_file() and checksum(path) != before
    except OSError:
        return False
