"""Renew what is made of the rows that were erased: materialised views, and what the planner knows of values."""

from __future__ import annotations

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.derived import refresh, renew_statistics
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.plan import ErasurePlan
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import patiently


def renew(connection: Connection, plan: ErasurePlan) -> None:
    """Fill the views of *plan* anew, and let the planner forget what it knew of the person.

    Locks: EXCLUSIVE on a view with a unique index, ACCESS EXCLUSIVE on others, each while it is filled; SHARE
    UPDATE EXCLUSIVE on the tables of the steps; one transaction each.
    Raises:
        LockError: another session holds one of them.
    """
    for view in plan.derived:
        patiently(connection, lambda cursor, view=view: _filled(cursor, view))  # type: ignore[misc]
    tables = tuple(dict.fromkeys(step.table for step in plan.steps))
    patiently(connection, lambda cursor: renew_statistics(cursor, plan.subject, tables))


def _filled(cursor: Cursor, view: str) -> None:
    refresh(cursor, (view,))
