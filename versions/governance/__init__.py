"""Read the numbered revisions without running them, and say which rules they break.

    for finding in check():
        ...                     # finding.problem, finding.hint, finding.path, finding.line

When: before every merge, and before the runner executes a statement.
Locks: none; there is no database here, and no revision is imported or executed.
A revision that is not even Python is reported like any other; nothing here raises because of one.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.governance.check import check, structural
from spotify_ai_agent_migrations.versions.governance.classification import CLASSES
from spotify_ai_agent_migrations.versions.governance.finding import Finding
from spotify_ai_agent_migrations.versions.governance.revision import Revision, discover

__all__ = ["CLASSES", "Finding", "Revision", "check", "discover", "structural"]
