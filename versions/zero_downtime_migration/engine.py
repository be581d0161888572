"""Carry out the steps of a change, each once, and take them back: whatever the change is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import psycopg2
from psycopg2.sql import SQL

from spotify_ai_agent_migrations.versions.core.database import LOCK_NOT_AVAILABLE, shown_message
from spotify_ai_agent_migrations.versions.core.errors import TableError
from spotify_ai_agent_migrations.versions.core.retry import RETRYABLE
from spotify_ai_agent_migrations.versions.zero_downtime_migration import (
    admission,
    app_schemas,
    app_views,
    filling,
    ledger,
    missed_rows,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.going import going
from spotify_ai_agent_migrations.versions.zero_downtime_migration.locking import held_up, strongly
from spotify_ai_agent_migrations.versions.zero_downtime_migration.manner import Manner
from spotify_ai_agent_migrations.versions.zero_downtime_migration.model import (
    PHASES,
    REACHED,
    Change,
    Kind,
    Phase,
    State,
    Step,
    contraction,
    half,
)
from spotify_ai_agent_migrations.versions.zero_downtime_migration.session import Session

_UNIQUE_VIOLATION: Final = "23505"


def advance(
    session: Session, change: Change, phase: Phase, manner: Manner, *, proven: bool = False
) -> Change:
    """Do the steps of one phase that are not done yet; return the change as it is then.

    Before the first phase of a contract the proofs of what was filled are looked at again, unless they were
    *proven* just now.

    Raises:
        TableError: the change was aborted, an earlier phase is not over, a proof fails, or something is
            missing that a contract demands.
        LockError: somebody was in the way at every try; what is done stays done.
    """
    if change.state in {State.ABORTING, State.ABORTED}:
        raise TableError(f"{_called(change)} was aborted", hint="abort it to its end, and start it anew")
    _refuse_early(change, phase)
    if phase in contraction(change.operation) and change.contracts() and not change.ended:
        admission.admit(
            session, change, manner.terms, lambda: None if proven else _prove_again(session, change, manner)
        )
    if phase is Phase.COMPLETE and not change.ended:
        ledger.set_state(session, change, State.CONTRACTING)
    for place, step in change.left(phase):
        _do(session, change, place, step, manner)
    now = ledger.again(session, change)
    if phase is Phase.COMPLETE and going(now) is not None:
        app_schemas.drop_older(session, manner, now.revision)
    # A change that is further than this phase stays so.
    if all(not now.left(each) for each in PHASES[: PHASES.index(phase) + 1]) and _is_next(now, phase):
        ledger.set_state(session, now, REACHED[phase])
        if phase is half(now.operation):
            admission.watch(session, now)
    return ledger.again(session, now)


def abort(session: Session, change: Change, manner: Manner) -> Change:
    """Take back every step that was begun, the last one first; an abort that was cut off goes on.

    Raises:
        TableError: the change is completed, or a step was begun after which there is no way back.
    """
    if change.state is State.ABORTED:
        return change
    refuse_late(change)
    ledger.set_state(session, change, State.ABORTING)
    for place in sorted(change.begun, reverse=True):
        _undo(session, change, place, manner)
    ledger.set_state(session, change, State.ABORTED)
    return ledger.again(session, change)


def refuse_late(change: Change) -> None:
    """Refuse to abort a change of which a step was begun after which there is no way back."""
    if change.state is State.COMPLETED or change.is_final():
        raise TableError(
            f"{_called(change)} can no longer be aborted: old and new are not kept side by side any more",
            hint="complete it, then make the opposite change",
        )


def _refuse_early(change: Change, phase: Phase) -> None:
    missing = next(
        (each for each in PHASES[: PHASES.index(phase)] if change.left(each)),
        None,
    )
    if missing is not None:
        raise TableError(
            f"{_called(change)} is not ready to {phase.value}: not all of {missing.value} is done",
            hint=f"{missing.value} it first",
        )


def _is_next(change: Change, phase: Phase) -> bool:
    reached = [State.BEGUN, State.STARTED, State.FILLED, State.VERIFIED, State.CONTRACTING]
    return (
        change.state
        in reached[: PHASES.index(phase) + 2 if phase is Phase.COMPLETE else PHASES.index(phase) + 1]
    )


def _do(session: Session, change: Change, place: int, step: Step, manner: Manner) -> None:
    manner.told(step, "begun")
    if step.kind is Kind.BRIEF:
        locks = (*app_views.locks(session, step.locks), *step.locks)
        strongly(session, manner, locks, lambda: _brief(session, change, place), _waiting(manner, step))
    else:
        ledger.begin(session, change, place)
        if step.kind is Kind.ALONE:
            _alone(session, step, manner)
        elif step.kind is Kind.FILL:
            filling.fill(session, change, place, manner)
        else:
            _prove(session, change, step, manner)
        ledger.end(session, change, place)
    manner.told(step, "done")


def _brief(session: Session, change: Change, place: int) -> None:
    step = change.steps[place]
    ends_old = step.phase is Phase.COMPLETE and going(change) is not None
    ledger.begin(session, change, place)
    with app_views.made_anew(session, step.locks, but=change.revision if ends_old else None):
        _run(session, step.sql)
    ledger.end(session, change, place)


def _alone(session: Session, step: Step, manner: Manner) -> None:
    """Run what takes long; again, from what a failed try has left, where others were in the way of it."""
    pauses_s = manner.patience.pauses_s(random.Random())  # noqa: S311  (jitter, not a secret)
    while not _is_done(session, step):
        try:
            swept = [row[0] for row in session.ask(SQL(step.sweep))] if step.sweep else []
            with session.waiting(manner.alone_wait_ms):
                _run(session, (*swept, *step.sql))
        except psycopg2.Error as error:
            if error.pgcode == LOCK_NOT_AVAILABLE:
                raise held_up(session, manner, step) from error
            if error.pgcode == _UNIQUE_VIOLATION and step.blame:
                # Not `from error`: its detail is the value that the rows have in common.
                raise _equal(session, step, step.blame) from None
            pause_s = next(pauses_s, None)
            if error.pgcode not in RETRYABLE or pause_s is None:
                raise
            manner.told(step, f"waiting: {shown_message(error)}")
            time.sleep(pause_s)
            continue
        if step.done and not _is_done(session, step):
            raise TableError(
                f'the step "{step.name}" has ended without having done what it was for',
                hint="somebody took it back meanwhile; run it again",
            )
        return


def _equal(session: Session, step: Step, blame: str) -> TableError:
    with session.patient():
        rows = session.ask(SQL(blame)) or [("some, which are gone by now",)]
    return step.failed(len(rows), rows[0][0])


def _is_done(session: Session, step: Step) -> bool:
    return bool(session.value(SQL(step.done))) if step.done else False


def _prove(session: Session, change: Change, step: Step, manner: Manner) -> None:
    if step.fill is not None:
        missed_rows.prove(session, change, step, step.fill, manner)
    else:
        prove(session, step, manner)


def _prove_again(session: Session, change: Change, manner: Manner) -> None:
    """Look again for what was missed: between the proof and the contract both applications went on."""
    for place in admission.proven_again(change):
        manner.told(change.steps[place], "begun")
        _prove(session, change, change.steps[place], manner)


def prove(session: Session, step: Step, manner: Manner) -> None:
    """Look with the queries of a proof for whatever stands against going on.

    Raises:
        TableError: there is something; says how much, and what to do.
    """
    for query in step.sql:
        with session.patient():
            rows = session.ask(SQL(query))
        if rows:
            failure = step.failed(len(rows), rows[0][0])
            if not step.only_said:
                raise failure
            session.note(str(failure))
            manner.told(step, f"found: {failure.problem}")


def _undo(session: Session, change: Change, place: int, manner: Manner) -> None:
    step = change.steps[place]
    manner.told(step, "taken back")
    if step.kind is Kind.ALONE:
        with session.waiting(manner.alone_wait_ms):
            _run(session, _what_undoes(session, change, place))
        ledger.undo(session, change, place)
        return

    def back() -> None:
        with app_views.made_anew(session, locks):
            _run(session, step.undo)
        ledger.undo(session, change, place)

    locks = (step.undo_locks or step.locks) if step.undo else ()
    both = (*app_views.locks(session, locks), *locks)
    strongly(session, manner, both, back, _waiting(manner, step))


def _what_undoes(session: Session, change: Change, place: int) -> Sequence[str]:
    """Return what takes an ALONE step back; of one that never ended, what its own tries have left.

    It may never have ended because something that is not its own has the name.
    """
    step = change.steps[place]
    if place in change.done or not step.sweep or _is_done(session, step):
        return step.undo
    return [row[0] for row in session.ask(SQL(step.sweep))]


def _run(session: Session, statements: Sequence[str]) -> None:
    for statement in statements:
        session.run(statement)


def _waiting(manner: Manner, step: Step) -> Callable[[str], None]:
    return lambda who: manner.told(step, f"waiting: {who}")


def _called(change: Change) -> str:
    return f"{change.operation} of {change.subject} on {change.table} (change {change.id})"
