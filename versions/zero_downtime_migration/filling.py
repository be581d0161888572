"""Write what a change needs into the rows that are there, in batches that each commit."""

from __future__ import annotations

from functools import partial
from typing import Final

from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    crew,
    facts,
    ranges,
    walkable,
    watching,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.batch import Job, job
from spotify_ai_agent_migrations.versions.zero_downtime_migration.brakes import Look
from spotify_ai_agent_migrations.versions.zero_downtime_migration.gate import Gate
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.watching import Watch

# Rows that come in while nothing gives them their values are looked for again, so often at most.
_ROUNDS: Final = 3


def fill(session: Session, change: Change, place: int, manner: Manner) -> None:
    """Write the rows of a step's table that are due, from where an earlier process came to.

    A round ends with the keys that are there when it begins, however many rows come in: a trigger gives these
    their values. Where there is none, they are looked for in another round; `verify` finds what is due even
    then. The table's own triggers fire for what is filled, unless the pace says otherwise.

    Locks: ROW EXCLUSIVE, and the rows of a batch until it commits.

    Raises:
        TableError: a row cannot be filled, which is named; or the backfill was cancelled.
        LockError: a row was held for too long, or something else stood against going on.
    """
    wanted = change.steps[place].fill
    assert wanted is not None
    table = facts.table(session, wanted.table)
    parts = walkable.parts(session, table)
    columns = [name for name, _ in wanted.values]
    work = job(
        change.id,
        place,
        wanted,
        manner.pace.lock_timeout_ms,
        quiet=manner.pace.quiet and bool(session.value("may_be_quiet", oid=table.oid, columns=columns)),
    )
    is_synchronised = session.value("is_synchronised", oid=table.oid, columns=columns)
    for _ in range(1 if is_synchronised else _ROUNDS):
        if not _round(session, change, place, manner, work, parts):
            return


def _round(
    session: Session, change: Change, place: int, manner: Manner, work: Job, parts: tuple[walkable.Part, ...]
) -> int:
    """Walk along the whole table, or what is left of it; return how many rows were written."""
    left = ranges.unfinished(session, change, place, parts)
    if not left:
        ranges.make(session, change, place, parts, manner.pace.workers)
        left = ranges.unfinished(session, change, place, parts)
    if not left:
        return 0
    gate = Gate()
    watched = Watch(
        session,
        change.id,
        place,
        manner.pace,
        gate,
        Look(session, manner.pace.limits, [part.oid for part in parts], lambda: gate.pids),
        partial(manner.told, change.steps[place]),
    )
    watching.begin(watched)
    return crew.fill(watched, work, left)
