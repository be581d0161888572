"""Do the steps of a plan: all of them in one transaction, or each in batches that are committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import new_type, register_type

from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.model import Step
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.session import (
    AFTER,
    STATEMENTS,
    SUBJECT,
    about,
    patiently,
)
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.state import Erasure, Progress, progress
from spotify_ai_agent_migrations.versions.gdpr_erasure.erase.together import together

# JSON as it is written: a number read and written again may be another one.
_AS_WRITTEN: Final = new_type((3802,), "JSONB AS WRITTEN", lambda value, _: value)


@dataclass(frozen=True)
class Batch:
    """What one statement did: how many rows, and the key of the last, JSON; None when there are no more."""

    rows: int
    after: str | None


def do_whole(cursor: Cursor, erasure: Erasure, steps: Sequence[Step]) -> None:
    """Do all *steps* in the transaction of *cursor*."""
    cursor.execute(STATEMENTS["work_on"], {"erasure": str(erasure.id)})
    # What two tables demand of each other holds when the last of them has been done.
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    about(cursor, erasure.subject)
    rows = [_done(cursor, step.whole).rows for step in steps]
    values = {"erasure": str(erasure.id), "positions": [step.position for step in steps], "rows": rows}
    cursor.execute(STATEMENTS["steps_done"], values)


def do_in_batches(connection: Connection, erasure: Erasure, steps: Sequence[Step], *, most: int) -> None:
    """Do *steps* one by one in transactions of at most *most* rows, from where they were left."""
    known = patiently(connection, lambda cursor: progress(cursor, erasure.id))
    for step in steps:
        done = known.get(step.position, Progress())
        after, is_over = done.after, done.is_over
        while not is_over:
            after = _batch(connection, erasure, step, most=most, after=after)
            is_over = after is None


def sweep(cursor: Cursor, erasure: Erasure, steps: Sequence[Step]) -> int:
    """Do once more what came meanwhile, in the transaction of *cursor*; return how many rows it was."""
    cursor.execute(STATEMENTS["work_on"], {"erasure": str(erasure.id)})
    cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    swept = 0
    # Mostly nothing came: to ask for that is one statement.
    for step in steps if left(cursor, erasure.subject, steps) else ():
        batch = _done(cursor, step.whole)
        if batch.rows:
            _note(cursor, erasure, step, batch, is_swept=True)
        swept += batch.rows
    return swept


def left(cursor: Cursor, subject: int, steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps of which rows are left; the table of each is read as its index allows."""
    about(cursor, subject)
    counts = together(cursor, [step.left for step in steps], {"subject": SUBJECT})
    return tuple(step for step, (count,) in zip(steps, counts, strict=True) if count)


def _batch(
    connection: Connection, erasure: Erasure, step: Step, *, most: int, after: str | None
) -> str | None:
    """Do one batch behind the row of key *after*, and return the key of its last row; None at the end."""

    def work(cursor: Cursor) -> str | None:
        cursor.execute(STATEMENTS["work_on"], {"erasure": str(erasure.id)})
        about(cursor, erasure.subject, after)
        batch = _done(cursor, step.statement, most=most, after=AFTER if after else None)
        about(cursor, erasure.subject, batch.after)
        _note(cursor, erasure, step, batch)
        return batch.after

    return patiently(connection, work)


def _done(cursor: Cursor, statement: str, **values: object) -> Batch:
    register_type(_AS_WRITTEN, cursor)
    cursor.execute(statement, {"subject": SUBJECT, **values})
    ((rows, after),) = cursor.fetchall()
    return Batch(int(rows), after)


def _note(cursor: Cursor, erasure: Erasure, step: Step, batch: Batch, *, is_swept: bool = False) -> None:
    values = {
        "erasure": str(erasure.id),
        "position": step.position,
        "rows": batch.rows,
        "after": AFTER if batch.after else None,
        "is_over": batch.after is None,
        "is_swept": is_swept,
    }
    cursor.execute(STATEMENTS["step_done"], values)
