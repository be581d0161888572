"""Name the row that a backfill cannot fill, without a value that could be somebody's."""

from __future__ import annotations

from typing import Final

import psycopg2
from psycopg2.sql import SQL, Composable, Literal

from spotify_ai_agent_migrations.versions.core.database import shown_message
from spotify_ai_agent_migrations.versions.core.errors import LockError, TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration.batch import Job, bound
from spotify_ai_agent_migrations.versions.zero_downtime_migration.blocking import blockers
from spotify_ai_agent_migrations.versions.zero_downtime_migration.ranges import Range
from spotify_ai_agent_migrations.versions.zero_downtime_migration.row_order import ROW, At, Key
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

_HOLDS_ROWS = ["RowShareLock", "RowExclusiveLock"]
# Without a comment: it is shown on one line.
_LOOK_UP: Final = """
SELECT {row}.*
  FROM ONLY {table} AS {row}, ops.online_range AS range
 WHERE (range.change_id, range.place, range.number) = ({change}, {place}, {number})
   AND (coalesce(range.reached, range.low) IS NULL OR ({names}) > ({values}))
 ORDER BY {names}
 LIMIT 1
"""


def failing_row(session: Session, job: Job, one: Range, at: At | None, error: psycopg2.Error) -> TableError:
    """Return the error that names the first row behind *at*, and how to see it.

    Shown of its key are whole numbers and UUIDs. The rest is found by a query that takes it from the ledger.
    """
    found = bound(session, one.table, one.key, (at, one.high), 1)
    shown = _shown(one.key, found) if found else ""
    called = f"the row {shown}" if shown else f"a row, in range {one.number},"
    return TableError(
        f'{called} of "{one.table}" cannot be filled: {shown_message(error)}',
        hint=f"all before it is filled; mend it, then go on: {session.text(_look_up(job, one))}",
    )


def held_row(session: Session, one: Range, waited_s: float) -> LockError:
    """Return the error that names who may hold the row that a batch waits for."""
    found = blockers(session, one.table, _HOLDS_ROWS, waited_s / 2)
    old = [str(one.holder) for one in found if not one.yields and one.is_old is not False]
    who = "; ".join(old) or "a session that is gone by now"
    return LockError(
        f'a row of "{one.table}" was held by another session for {waited_s:g} s: {who}',
        hint="run it again when that session is gone; what is filled stays filled",
    )


def first_key(key: Key, at: At) -> str:
    """Return what may be shown of a key."""
    return _shown(key, at) or "not shown, since its key may be somebody's"


def _shown(key: Key, at: At) -> str:
    pairs = zip(key.columns, at, strict=True)
    return ", ".join(f"{name}={value}" for name, value in pairs if name in key.open)


def _look_up(job: Job, one: Range) -> Composable:
    """The query that shows the row to whoever may see it: the first one behind what the ledger says."""
    values = SQL(", ").join(
        SQL("(coalesce(range.reached, range.low) ->> {})::{}").format(Literal(place), SQL(type_))
        for place, type_ in enumerate(one.key.types)
    )
    place_of = {"change": Literal(job.change_id), "place": Literal(job.place), "number": Literal(one.number)}
    return SQL(_LOOK_UP).format(
        row=SQL(ROW), table=SQL(one.table), names=one.key.names, values=values, **place_of
    )
