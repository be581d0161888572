"""Renew what is made of the person's rows, in transactions of the session that erases."""

from __future__ import annotations

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase import derived
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import lightly, patiently
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.shapes import Seen


def look_before(connection: Connection, plan: ErasurePlan, by: Seen) -> None:
    """Keep which values of the person the planner knows, before any of their rows is erased."""
    tables = [step.table for step in plan.steps if step.rows]
    lightly(
        connection,
        lambda cursor: derived.remember(
            cursor, plan.subject, tables=tables, catalogue=by.catalogue, reaches=by.reaches
        ),
    )


def renew(connection: Connection, plan: ErasurePlan) -> None:
    """Fill the materialised views anew, and take what was of the person out of what the planner knows."""
    if plan.derived:
        patiently(connection, lambda cursor: derived.refresh(cursor, plan.derived))
    lightly(connection, lambda cursor: _known(cursor, plan))


def _known(cursor: Cursor, plan: ErasurePlan) -> None:
    # All of them: of one that goes on, nothing is left to be counted in those that were done.
    tables = [step.table for step in plan.steps]
    derived.renew_statistics(cursor, plan.subject, [*dict.fromkeys(tables)])
