"""The verbs: start a change of a live table, fill, verify, complete or abort it; one process at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from spotify_ai_agent_migrations.versions.core.database import translated
from spotify_ai_agent_migrations.versions.core.dotenv_file import read_dotenv
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.locks import advisory_lock, lock_key
from spotify_ai_agent_migrations.versions.core.settings import Settings, resolve_settings
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    admission,
    engine,
    facts,
    ledger,
    row_order,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import (
    PHASES,
    Change,
    Kind,
    Phase,
    State,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.operations import Wish, arguments_of
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session, opened

_PURPOSE: Final = "agentdb zero-downtime"


def change(wish: Wish, *, settings: Settings | None = None, manner: Manner | None = None) -> Change:
    """Make a change from its start to its completion; one that was begun goes on from its finished step.

    Locks: those of its steps, which `plan` lists; a strong one for some milliseconds, under a short time-out.

    Raises:
        TableError: it cannot be done online, or a proof fails; nothing was contracted.
        LockError: somebody was in the way at every try, or another process is at the table.
    """
    return _through(wish, PHASES, settings, manner)


def start(wish: Wish, *, settings: Settings | None = None, manner: Manner | None = None) -> Change:
    """Begin a change: what new code needs is there after it, and old code goes on."""
    return _through(wish, (Phase.START,), settings, manner)


def backfill(wish: Wish, *, settings: Settings | None = None, manner: Manner | None = None) -> Change:
    """Fill what a change that was started needs into the rows that are there."""
    return _through(wish, (Phase.BACKFILL,), settings, manner)


def verify(wish: Wish, *, settings: Settings | None = None, manner: Manner | None = None) -> Change:
    """Prove that no row was missed."""
    return _through(wish, (Phase.VERIFY,), settings, manner)


def complete(wish: Wish, *, settings: Settings | None = None, manner: Manner | None = None) -> Change:
    """Contract a change that was verified: from here on only new code runs.

    Demanded is, by the terms of the manner, that its new form was out for long enough or every application
    that may run has acknowledged it, and that nobody reads the old one; and the proof holds again.

    Raises:
        TableError: something is missing, all of which is said.
    """
    return _through(wish, (Phase.COMPLETE,), settings, manner)


def permit(wish: Wish, *, settings: Settings | None = None, manner: Manner | None = None) -> None:
    """Refuse a contract as `complete` would, by what was proven last; changes nothing.

    Raises:
        TableError: something is missing, all of which is said.
    """
    with working(wish.table, settings, manner) as (session, chosen):
        found = _recorded(session, wish)
        if found is not None and not found.ended:
            admission.refuse(session, found, chosen.terms)


def abort(wish: Wish, *, settings: Settings | None = None, manner: Manner | None = None) -> Change:
    """Take back what a change has done so far.

    Raises:
        TableError: it was never started, or there is no way back any more.
    """
    with working(wish.table, settings, manner) as (session, chosen):
        found = _recorded(session, wish)
        if found is None:
            raise TableError(
                f"{wish.operation} of {wish.subject} on {wish.table} was never started",
                hint="there is nothing to abort",
            )
        return engine.abort(session, found, chosen)


def plan(wish: Wish, *, settings: Settings | None = None) -> Change:
    """Return what a change comes to, or is as it was recorded; changes nothing and takes no lock."""
    with translated(), opened(settings or resolve_settings(), _PURPOSE) as connection:
        return foreseen(Session(connection), wish)


def foreseen(session: Session, wish: Wish) -> Change:
    """Return what a change comes to, or is as it was recorded where it is not over."""
    found = recorded(session, wish)
    gone = not session.ask("table_facts", table=wish.table)
    if found is not None and (not found.ended or (gone and found.state is State.COMPLETED)):
        return found
    return _planned(session, wish)


def recorded(session: Session, wish: Wish) -> Change | None:
    """Return the last change of that wish, ended or not; None where there is no ledger."""
    return _recorded(session, wish) if session.value("has_ledger") else None


@contextmanager
def working(table: str, settings: Settings | None, manner: Manner | None) -> Iterator[tuple[Session, Manner]]:
    """Open a session that is alone at *table* for the block.

    Raises:
        LockError: another process is at it for longer than the manner waits.
    """
    given = settings or resolve_settings()
    chosen = in_environment(given.environment, manner or Manner())
    with translated(), opened(given, _PURPOSE) as connection:
        session = Session(connection)
        ledger.require(session)
        called = named(session, table)
        connection.autocommit = False
        with advisory_lock(
            connection,
            lock_of(called),
            wait_ms=chosen.lock_wait_ms,
            called=f"the lock of online changes of {called}",
        ):
            connection.autocommit = True
            try:
                yield session, chosen
            finally:
                if not connection.closed:
                    connection.autocommit = False


def in_environment(environment: str, manner: Manner) -> Manner:
    """Return a manner with the terms and the pace that its environment gives where none were said."""
    environ = {**read_dotenv(), **os.environ}
    return replace(manner, terms=manner.terms.under(environment, environ), pace=manner.pace.under(environ))


def lock_of(table: str) -> int:
    """Return the advisory lock key of the changes of a table, named with its schema."""
    return lock_key(f"online:{table}")


def begun_or_found(
    session: Session, wish: Wish, phases: tuple[Phase, ...], revision: str | None = None
) -> Change:
    """Return the change as it is recorded; begin it where there is none, or an aborted one.

    *revision* is the one that it is of where it is begun.

    Raises:
        TableError: *phases* do not begin with its start, and it was never started; or it was begun as
            another wish, and is not over.
    """
    found = _recorded(session, wish)
    if found is None or found.state is State.ABORTED or is_undone(session, wish, found):
        if Phase.START not in phases:
            raise TableError(
                f"{wish.operation} of {wish.subject} on {wish.table} was never started",
                hint="start it first",
            )
        return _begun(session, wish, revision)
    _refuse_other(found, wish)
    return found


def _refuse_other(found: Change, wish: Wish) -> None:
    # As it is recorded; the table may be called by another name. What is over was compared with the table.
    wished = json.loads(json.dumps(arguments_of(wish)))
    others = [name for name, value in wished.items() if value != found.arguments.get(name, value)]
    differing = ", ".join(name for name in others if name != "table")
    if differing and not found.ended:
        raise TableError(
            f"{found.operation} of {found.subject} on {found.table} (change {found.id}) was begun as another "
            f"wish: it differs in {differing}",
            hint="wish it as it was begun, or abort it first",
        )


def _through(
    wish: Wish, phases: tuple[Phase, ...], settings: Settings | None, manner: Manner | None
) -> Change:
    with working(wish.table, settings, manner) as (session, chosen):
        return through(session, begun_or_found(session, wish, phases, chosen.revision), phases, chosen)


def through(session: Session, change: Change, phases: tuple[Phase, ...], manner: Manner) -> Change:
    """Do the steps of several phases that are not done yet; return the change as it is then."""
    proven = Phase.VERIFY in phases and not any(
        step.kind is Kind.PROOF and step.phase is Phase.VERIFY and place in change.done
        for place, step in enumerate(change.steps)
    )
    for phase in phases:
        if change.state is State.COMPLETED:
            return change
        change = engine.advance(session, change, phase, manner, proven=proven)
    return change


def _recorded(session: Session, wish: Wish) -> Change | None:
    return ledger.found(session, wish.operation, named(session, wish.table), wish.subject)


def named(session: Session, table: str) -> str:
    """Return a table's name as SQL writes it; a change may have renamed the table, or dropped it."""
    return session.value("name_of", table=table) or facts.table(session, table).name


def is_undone(session: Session, wish: Wish, found: Change) -> bool:
    """Tell whether a change that was completed once would come to something again."""
    if found.state is not State.COMPLETED or not session.ask("table_facts", table=wish.table):
        return False
    return bool(_planned(session, wish).steps)


def _planned(session: Session, wish: Wish) -> Change:
    table = facts.table(session, wish.table)
    steps = wish.steps(session, table)
    for named in {step.fill.table for step in steps if step.kind is Kind.FILL and step.fill}:
        # Not when it comes to it: by then there would be something to take back.
        row_order.parts(session, facts.table(session, named))
    state = State.BEGUN if steps else State.COMPLETED
    return Change(0, wish.operation, table.name, wish.subject, arguments_of(wish), steps, state)


def _begun(session: Session, wish: Wish, revision: str | None) -> Change:
    planned = _planned(session, wish)
    recorded = ledger.record(
        session,
        planned.operation,
        planned.table,
        planned.subject,
        dict(planned.arguments),
        planned.steps,
        revision,
    )
    return replace(recorded, steps=planned.steps)
