"""What is written down of a change, in the transaction that does it."""

from __future__ import annotations

import re
from typing import Any

from psycopg2.extras import Json

from spotify_ai_agent_migrations.versions.core.errors import RevisionError, TableError
from spotify_ai_agent_migrations.versions.zero_downtime_migration import model
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import (
    ENDED,
    Change,
    State,
    Step,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Row, Session


def require(session: Session) -> None:
    """Refuse a database that has no ledger.

    Raises:
        RevisionError: the revision that makes it is not applied.
    """
    if not session.value("has_ledger"):
        raise RevisionError(
            "this database has no ledger of online changes", hint="alembic upgrade 011 makes it"
        )


def found(session: Session, operation: str, table: str, subject: str) -> Change | None:
    """Return the last change of that kind, ended or not."""
    rows = session.ask("change_of", operation=operation, table=table, subject=subject)
    return _change(rows[0]) if rows else None


def again(session: Session, change: Change) -> Change:
    """Return the change as it is recorded now."""
    return by_number(session, change.id)


def by_number(session: Session, number: int) -> Change:
    """Return the change of a number."""
    rows = session.ask("change_by_id", id=number)
    if not rows:
        raise TableError(f"there is no online change {number}", hint="its entry in ops.online_change is gone")
    return _change(rows[0])


def record(
    session: Session,
    operation: str,
    table: str,
    subject: str,
    arguments: dict[str, Any],
    steps: tuple[Step, ...],
    revision: str | None = None,
) -> Change:
    """Write a new change down; one that comes to no step is completed.

    *revision* is the first whose applications know the new form; None is the one that comes next.

    Raises:
        TableError: it is no three digits.
    """
    if revision is not None and not re.fullmatch("[0-9]{3}", revision):
        raise TableError(f'"{revision}" is no revision', hint="say it in three digits, as 012")
    state = State.BEGUN if steps else State.COMPLETED
    revision = revision or next_revision(session)
    number = session.value(
        "record_change",
        operation=operation,
        table=table,
        subject=subject,
        arguments=Json(arguments),
        steps=Json([model.written(step) for step in steps]),
        state=state.value,
        revision=revision,
    )
    return Change(number, operation, table, subject, arguments, steps, state, revision=revision)


def next_revision(session: Session) -> str | None:
    """Return the revision behind the one of the database, whose applications know the old form."""
    has_version, _ = session.ask("has_versions")[0]
    found: str | None = session.value("first_known_by") if has_version else None
    return found


def set_state(session: Session, change: Change, state: State) -> None:
    """Write down how far a change is."""
    session.ask("set_state", id=change.id, state=state.value, ended=state in ENDED)


def begin(session: Session, change: Change, place: int) -> None:
    """Write down that a step is tried."""
    step = change.steps[place]
    session.ask("begin_step", id=change.id, place=place, name=step.name, phase=step.phase.value)


def end(session: Session, change: Change, place: int) -> None:
    """Write down that a step is done."""
    session.ask("end_step", id=change.id, place=place)


def undo(session: Session, change: Change, place: int) -> None:
    """Write down that a step is taken back."""
    session.ask("undo_step", id=change.id, place=place)


def reopen(session: Session, change: Change, table: str) -> None:
    """Write down that a table is not filled: `backfill` does it again."""
    session.ask("reopen_fills", id=change.id, place=change.filling(table))
    set_state(session, change, State.STARTED)


def _change(row: Row) -> Change:
    number, operation, table, subject, arguments, steps, state, begun, done, revision = row
    return Change(
        number,
        operation,
        table,
        subject,
        arguments,
        tuple(map(model.read, steps)),
        State(state),
        frozenset(begun),
        frozenset(done),
        revision,
    )
