"""The folder of revisions holds revisions only.

Why: Alembic takes every `.py` file in it for a revision, and refuses to work when one is not.
Fix: move a helper into the folder of the room it belongs to, where Alembic does not look.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from spotify_ai_agent_migrations.versions.governance.finding import Finding, Reporter
from spotify_ai_agent_migrations.versions.governance.revision import History

CODE = "MIG003"
STRUCTURAL = True

_found: Final = Reporter(CODE, __name__)


def find(history: History) -> Iterator[Finding]:
    """Yield a finding for each module that is not a revision."""
    folder = history.folder.name
    for path in history.strays:
        yield _found(
            path,
            f'"{path.name}" is not a revision, and Alembic would load it as one',
            hint=f"move {folder}/{path.name} into the folder of a room, as {folder}/<room>/{path.name}",
        )
