"""Prove that a table is filled; fill again what came in where no trigger gives rows their values."""

from __future__ import annotations

from typing import Final

from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import filling, ledger, missed_rows
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Fill, Step
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

_TRIES: Final = 3


def prove(session: Session, change: Change, step: Step, wanted: Fill, manner: Manner) -> None:
    """Look for rows that were missed.

    Rows that a writer without a trigger has left meanwhile are filled; where a trigger should have seen them,
    they are not, since something is wrong then.

    Raises:
        TableError: rows were missed; the change has to be backfilled again.
    """
    for _ in range(_TRIES):
        count, first = missed_rows.missed(session, wanted)
        if not count:
            return
        place = change.filling(wanted.table)
        fill = None if place is None else change.steps[place].fill
        if place is None or fill is None or filling.is_synchronised(session, fill):
            break
        filling.fill(session, change, place, manner)
    ledger.reopen(session, change, wanted.table)
    raise TableError(_told(step.failure, count, first), hint=_told(step.hint, count, first))


def _told(text: str, count: int, first: str) -> str:
    return text.replace("{count}", str(count)).replace("{first}", first)
