"""Roll revisions back without fear: what is lost is counted before and kept after, and the result is proved.

    plan_rollback("003")                       the way back, tried and rolled back; what it loses, in rows
    rollback("003", accept_data_loss=DIGEST)   go it; what it destroys is kept in schema rollback_<run>
    restore("rollback_…")                      put that back, once the revisions are applied again

When: an upgrade was wrong and has to go, now. A plan changes nothing; nothing is half rolled back because a
later step could not run, since all of them were tried first.
Locks: those of the downgrades, each waited for within `lock_timeout`; a dropped table is moved instead.
"""

from __future__ import annotations

from spotify_ai_agent_migrations.versions.rollback.plan import Loss, RollbackPlan, StepPlan
from spotify_ai_agent_migrations.versions.rollback.quarantine import purge, quarantines, restore
from spotify_ai_agent_migrations.versions.rollback.run import RollbackResult, plan_rollback, rollback

__all__ = [
    "Loss",
    "RollbackPlan",
    "RollbackResult",
    "StepPlan",
    "plan_rollback",
    "purge",
    "quarantines",
    "restore",
    "rollback",
]
