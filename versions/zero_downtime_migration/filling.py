"""Write what a change needs into the rows that are there, in batches that each commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    crew,
    facts,
    ranges,
    row_order,
    watching,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.batch import Job, job
from spotify_ai_agent_migrations.versions.zero_downtime_migration.brakes import Look
from spotify_ai_agent_migrations.versions.zero_downtime_migration.gate import Gate
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import Change, Fill
from spotify_ai_agent_migrations.versions.zero_downtime_migration.ranges import Range
from spotify_ai_agent_migrations.versions.zero_downtime_migration.row_order import At, Part
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session
from spotify_ai_agent_migrations.versions.zero_downtime_migration.watching import Watch

# Rows that come in at the end while nothing gives them their values are filled too, so often at most.
_ROUNDS: Final = 3


def fill(session: Session, change: Change, place: int, manner: Manner) -> None:
    """Write the rows of a step's table that are due, from where an earlier process came to.

    It ends with the keys that are there when it begins, however many rows come in: a trigger gives these
    their values. Where there is none, what came in behind the last key is filled too; `verify` finds the
    rest. The table's own triggers fire for what is filled, unless the pace says otherwise.

    No batch waits for the disk or for a synchronous standby: what a crash of the server loses of it, it loses
    with how far it came. The commit that records the step as done waits as the login's commits do, and with
    it everything that was committed before.

    Locks: ROW EXCLUSIVE, and the rows of a batch until it commits.

    Raises:
        TableError: a row cannot be filled, which is named; or the backfill was cancelled.
        LockError: a row was held for too long, or something else stood against going on.
    """
    wanted = change.steps[place].fill
    assert wanted is not None
    table = facts.table(session, wanted.table)
    parts = row_order.parts(session, table)
    columns = [name for name, _ in wanted.values]
    work = job(
        change.id,
        place,
        wanted,
        manner.pace.lock_timeout_ms,
        quiet=manner.pace.quiet and bool(session.value("may_be_quiet", oid=table.oid, columns=columns)),
    )
    lows: Mapping[str, At] = {}
    for _ in range(1 if is_synchronised(session, wanted) else _ROUNDS):
        left = _left(session, change, place, manner, parts, lows)
        if not left or not _round(session, change, place, manner, work, parts, left):
            return
        lows = {**lows, **{one.table: one.high for one in left if one.high is not None}}


def is_synchronised(session: Session, wanted: Fill) -> bool:
    """Tell whether a trigger gives every row that is written the values of a backfill."""
    oid = facts.table(session, wanted.table).oid
    return bool(session.value("is_synchronised", oid=oid, columns=[name for name, _ in wanted.values]))


def _left(
    session: Session,
    change: Change,
    place: int,
    manner: Manner,
    parts: Sequence[Part],
    lows: Mapping[str, At],
) -> tuple[Range, ...]:
    """Return the ranges that an earlier process has left, or new ones of the whole table behind *lows*."""
    left = ranges.unfinished(session, change, place, parts)
    if left:
        return left
    ranges.make(session, change, place, parts, manner.pace.workers, lows)
    return ranges.unfinished(session, change, place, parts)


def _round(
    session: Session, change: Change, place: int, manner: Manner, work: Job, parts: Sequence[Part],
    left: Sequence[Range],
) -> int:  # fmt: skip
    """Fill ranges; return how many rows were written."""
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
