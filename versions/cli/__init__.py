"""The command lines: `agentdb`, `python versions/NNN_slug.py`, and what `alembic` shows when it fails.

Mounts the rooms. The only place that prints errors and chooses exit codes:
0 done, 1 refused or failed, 2 usage or settings, 3 governance findings.
"""

from spotify_ai_agent_migrations.versions.cli.agentdb import main
from spotify_ai_agent_migrations.versions.cli.environment import environment_main
from spotify_ai_agent_migrations.versions.cli.revision import revision_main

__all__ = ["environment_main", "main", "revision_main"]
