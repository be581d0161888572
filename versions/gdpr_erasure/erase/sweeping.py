"""Look again once all that is older has ended: do what came meanwhile, and see that nothing is left."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.core.errors import DatabaseError
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.horizon import wait_for_horizon
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import State
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.renewing import renew
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import STATEMENTS, lightly, patiently
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.state import Erasure
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.steps import left, sweep
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.verifying import Verified, verify

_PAUSE_S: Final = 0.05


def look_again(
    connection: Connection, erasure: Erasure, plan: ErasurePlan, *, wait_s: float, everything: bool = False
) -> Verified:
    """Wait for the horizon, sweep and verify, until the erasure is swept; return how far it was looked.

    Raises:
        LockError: what is older has not ended within *wait_s* seconds.
        DatabaseError: something is left all the same.
    """
    deadline = time.monotonic() + wait_s
    # Not before now: what is made of rows is made of what the trail was told, too, and of what came late.
    is_renewed = False
    while True:
        horizon = wait_for_horizon(
            connection, erasure.hidden_xid, wait_s=max(0.0, deadline - time.monotonic()), said_s=wait_s
        )
        if lightly(connection, lambda cursor: _swept(cursor, erasure, plan)) or not is_renewed:
            renew(connection, plan)
            is_renewed = True
        try:
            verified = partial(_verified, erasure=erasure, plan=plan, horizon=horizon, everything=everything)
            return patiently(connection, verified)
        except psycopg2.errors.ObjectNotInPrerequisiteState:
            # A session looks older than the person's tombstone again: something in another database is.
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_S)


def _swept(cursor: Cursor, erasure: Erasure, plan: ErasurePlan) -> int:
    rows = sweep(cursor, erasure, plan.steps)
    # What was written late was told to the trail.
    cursor.execute(STATEMENTS["forget"], {"erasure": str(erasure.id)})
    # What is dead is counted in the certificate, which would come before the server has been told of it.
    cursor.execute(STATEMENTS["tell_dead"])
    return rows


def _verified(
    cursor: Cursor, *, erasure: Erasure, plan: ErasurePlan, horizon: int, everything: bool
) -> Verified:
    remaining = left(cursor, erasure.subject, plan.steps)
    if remaining:
        raise DatabaseError(
            f"rows of the person are left in {', '.join(dict.fromkeys(step.table for step in remaining))}",
            hint="something writes past the guard (see agentdb gdpr-erasure check); call it again then",
        )
    found = verify(cursor, everything=everything)
    cursor.execute(STATEMENTS["work_on"], {"erasure": str(erasure.id)})
    values = {"erasure": str(erasure.id), "state": State.SWEPT.value, "horizon": str(horizon)}
    cursor.execute(STATEMENTS["reached"], values)
    return found
