"""What env.py runs, and one revision on its own.

Every way in (the command `alembic`, a script, a call from Python) passes the same steps: settings, gate,
migration lock, one transaction a revision with bounded waits and retries.
Locks: one session advisory lock a database, taken by polling; and what each revision takes.
"""

from spotify_ai_agent_migrations.versions.runner.environment import run_environment
from spotify_ai_agent_migrations.versions.runner.options import Options
from spotify_ai_agent_migrations.versions.runner.standalone import (
    Outcome,
    call_revision,
    plan_upgrade,
    run_downgrade,
    run_revision,
)
from spotify_ai_agent_migrations.versions.runner.steps import Step

__all__ = [
    "Options",
    "Outcome",
    "Step",
    "call_revision",
    "plan_upgrade",
    "run_downgrade",
    "run_environment",
    "run_revision",
]
