"""What the pending revisions would do, statement by statement, found out by executing them.

    plan = plan_upgrade("head", Options(dry_run=True))      # of the package `runner`
    plan.worst, plan.statements[0].measurement.locks

When: before a merge and before a deployment.
Locks: those of the revisions, until they are rolled back; on a clone, none here.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.runner.plan.formats import FORMATS
from spotify_ai_agent_migrations.versions.runner.plan.observer import Observer
from spotify_ai_agent_migrations.versions.runner.plan.value import Moved, Plan, Planned, Where

__all__ = ["FORMATS", "Moved", "Observer", "Plan", "Planned", "Where"]
